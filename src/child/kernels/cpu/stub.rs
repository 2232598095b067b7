#![allow(unused)]
pub mod pool {
    use super::super::Geometry;
    pub fn max_forward(g: &Geometry, x: &[f32], y: &mut [f32]) {
        todo!()
    }
    pub fn average_forward(g: &Geometry, x: &[f32], y: &mut [f32]) {
        todo!()
    }
    pub fn max_backward(g: &Geometry, x: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32]) {
        todo!()
    }
    pub fn average_backward(g: &Geometry, dy: &[f32], dx: &mut [f32]) {
        todo!()
    }
    pub fn global_forward(b: usize, p: usize, c: usize, x: &[f32], y: &mut [f32]) {
        for i in 0..b {
            for k in 0..c {
                let mut s = 0.0;
                for j in 0..p {
                    s += x[(i * p + j) * c + k];
                }
                y[i * c + k] = s / p as f32;
            }
        }
    }
    pub fn global_backward(b: usize, p: usize, c: usize, dy: &[f32], dx: &mut [f32]) {
        for i in 0..b {
            for j in 0..p {
                for k in 0..c {
                    dx[(i * p + j) * c + k] = dy[i * c + k] / p as f32;
                }
            }
        }
    }
}
pub mod norm {
    use super::super::Act;
    pub fn forward_train(
        x: &[f32],
        s: &[f32],
        h: &[f32],
        e: f32,
        a: Act,
        y: &mut [f32],
        m: &mut [f32],
        v: &mut [f32],
    ) {
        todo!()
    }
    pub fn affine(x: &[f32], f: &[f32], s: &[f32], a: Act, y: &mut [f32]) {
        todo!()
    }
    pub fn backward(
        x: &[f32],
        y: &[f32],
        s: &[f32],
        m: &[f32],
        v: &[f32],
        e: f32,
        dy: &[f32],
        a: Act,
        dx: &mut [f32],
        ds: &mut [f32],
        dh: &mut [f32],
    ) {
        todo!()
    }
}
pub mod elementwise {
    use super::super::Act;
    #[derive(Clone, Copy, Debug)]
    pub enum Function {
        Relu,
        Gelu,
        Silu,
        Tanh,
        Sigmoid,
        Relu6,
        HardSigmoid,
        HardSwish,
    }
    impl Function {
        pub fn needs_input(self) -> bool {
            true
        }
    }
    pub fn forward(f: Function, x: &[f32], y: &mut [f32]) {
        todo!()
    }
    pub fn backward(f: Function, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        todo!()
    }
    pub fn add(p: &[&[f32]], a: Act, y: &mut [f32]) {
        todo!()
    }
    pub fn mask(y: &[f32], dy: &[f32], a: Act, dx: &mut [f32]) {
        todo!()
    }
    pub fn concat(p: &[&[f32]], w: &[usize], y: &mut [f32]) {
        todo!()
    }
    pub fn take_channels(dy: &[f32], c: usize, s: usize, w: usize, dx: &mut [f32]) {
        todo!()
    }
    pub fn scale_images(x: &[f32], f: &[f32], y: &mut [f32]) {
        todo!()
    }
    pub fn gate(x: &[f32], f: &[f32], c: usize, y: &mut [f32]) {
        todo!()
    }
    pub fn gate_factors(x: &[f32], dy: &[f32], c: usize, y: &mut [f32]) {
        todo!()
    }
}
