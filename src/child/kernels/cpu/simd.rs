//! Registers of the widest kind that this CPU has, by the `pulp` crate: AVX-512, AVX2 with FMA, NEON
//! or plain scalars, chosen when the program runs. The one place that reads and writes registers.
//!
//! Whatever takes a `simd` is `#[inline(always)]`: only code inlined into pulp's dispatch is compiled
//! for the CPU's features.

use pulp::{Arch, Simd, WithSimd};

/// The registers in use: the widest of this CPU.
fn arch() -> Arch {
    #[cfg(test)]
    if let Some(arch) = FORCED.get() {
        return arch;
    }
    Arch::new()
}

#[cfg(test)]
thread_local! {
    static FORCED: std::cell::Cell<Option<Arch>> = const { std::cell::Cell::new(None) };
}

/// Runs `work` with other registers than the widest, on this thread.
#[cfg(test)]
pub fn with_arch<R>(arch: Arch, work: impl FnOnce() -> R) -> R {
    FORCED.set(Some(arch));
    let result = work();
    FORCED.set(None);
    result
}

/// Runs `work` with the widest registers of this CPU.
pub fn dispatch<W: WithSimd>(work: W) -> W::Output {
    arch().dispatch(work)
}

/// Runs `work` on a matrix of `columns` with registers that they fill well: the widest, or half of
/// those where the last would stay half empty. AVX2 does as many operations a second as AVX-512 does
/// on CPUs that split the wide registers, and nearly so on the others.
pub fn dispatch_columns<W: WithSimd>(columns: usize, work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if matches!(columns % 16, 1..=8)
        && matches!(arch(), Arch::V4(_))
        && let Some(simd) = pulp::x86::V3::try_new()
    {
        return Simd::vectorize(simd, work);
    }
    dispatch(work)
}

/// The lanes of the registers that [`dispatch_columns`] takes.
pub fn lanes(columns: usize) -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    dispatch_columns(columns, Lanes)
}

/// The name of the instruction set that [`dispatch`] uses on this CPU, for reports.
pub fn level() -> &'static str {
    struct Name;
    impl WithSimd for Name {
        type Output = &'static str;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> Self::Output {
            match (S::F32_LANES, cfg!(target_arch = "x86_64")) {
                (16, _) => "AVX-512",
                (8, _) => "AVX2",
                (4, false) => "NEON",
                _ => "scalar",
            }
        }
    }
    dispatch(Name)
}

/// Reads a register from `from`.
///
/// # Safety
/// `from` is valid for reading `S::F32_LANES` values; it need not be aligned.
#[inline(always)]
pub unsafe fn load<S: Simd>(from: *const f32) -> S::f32s {
    // SAFETY: by the caller; every pattern of bits is a register of f32.
    unsafe { from.cast::<S::f32s>().read_unaligned() }
}

/// Writes a register to `to`.
///
/// # Safety
/// `to` is valid for writing `S::F32_LANES` values; it need not be aligned.
#[inline(always)]
pub unsafe fn store<S: Simd>(to: *mut f32, values: S::f32s) {
    // SAFETY: by the caller.
    unsafe { to.cast::<S::f32s>().write_unaligned(values) }
}

/// Reads the first `count` lanes from `from`, at most a register; the others are 0.
///
/// # Safety
/// `from` is valid for reading `count` values.
#[inline(always)]
pub unsafe fn load_first<S: Simd>(simd: S, from: *const f32, count: usize) -> S::f32s {
    match count >= S::F32_LANES {
        // SAFETY: by the caller.
        true => unsafe { load::<S>(from) },
        // SAFETY: by the caller.
        false => simd.partial_load_f32s(unsafe { std::slice::from_raw_parts(from, count) }),
    }
}

/// Writes the first `count` lanes to `to`, at most a register.
///
/// # Safety
/// `to` is valid for writing `count` values.
#[inline(always)]
pub unsafe fn store_first<S: Simd>(simd: S, to: *mut f32, values: S::f32s, count: usize) {
    match count >= S::F32_LANES {
        // SAFETY: by the caller.
        true => unsafe { store::<S>(to, values) },
        // SAFETY: by the caller.
        false => {
            let to = unsafe { std::slice::from_raw_parts_mut(to, count) };
            simd.partial_store_f32s(to, values);
        }
    }
}

/// Asks the memory for `values`, which are read soon.
#[inline(always)]
pub fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: every x86-64 has SSE; nothing is read.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}
