//! Who may look, and what their browser may do with it.

use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, LOCATION, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// What a page may load and do: its own style, script, pictures and events, nothing else (CSP 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const COOKIE_NAME: &str = "nas_script_token";

/// Who may look.
#[derive(Clone, Debug)]
pub struct Access {
    /// What a browser has to know; `None`: whoever reaches the port may look.
    pub token: Option<String>,
    /// Whether only this machine can reach the port. Then only names of this machine are answered to, so that no page of
    /// the web can read it under a name that was made to point here.
    pub loopback: bool,
}

/// Lets those pass who may look, and adds the policy to every answer.
pub(super) async fn guard(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    let mut answer = match access.refusal(&request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let headers = answer.headers_mut();
    let set = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in set {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    answer
}

impl Access {
    /// Why the request is not answered, or the way on once a token was shown.
    fn refusal(&self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        if self.loopback && !is_here(headers, request.uri()) {
            let text = "this dashboard answers to localhost alone";
            return Some((StatusCode::FORBIDDEN, text).into_response());
        }
        let token = self.token.as_ref()?;
        let query = request.uri().query().unwrap_or_default();
        let shown = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("token="));
        if let Some(shown) = shown {
            // The token goes into a cookie, out of the address, which people copy.
            return Some(match equal(shown, token) {
                true => entered(token, request.uri().path()),
                false => unknown(),
            });
        }
        let bearer = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let cookies = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut cookies = cookies
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let cookie = cookies
            .find(|(name, _)| *name == COOKIE_NAME)
            .map(|(_, value)| value);
        match bearer.or(cookie).is_some_and(|given| equal(given, token)) {
            true => None,
            false => Some(unknown()),
        }
    }
}

fn unknown() -> Response {
    let text = "this dashboard needs its token: open the address that nas-script printed";
    (StatusCode::UNAUTHORIZED, text).into_response()
}

fn entered(token: &str, path: &str) -> Response {
    let cookie = format!("{COOKIE_NAME}={token}; HttpOnly; SameSite=Strict; Path=/");
    // A path that begins with two slashes would be another host's.
    let path = format!("/{}", path.trim_start_matches(['/', '\\']));
    let headers = [(SET_COOKIE, cookie), (LOCATION, path)];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Whether the request names this machine.
fn is_here(headers: &HeaderMap, uri: &Uri) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or(uri.authority().map(axum::http::uri::Authority::as_str));
    let Some(host) = host else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let loopback = address
        .parse::<std::net::IpAddr>()
        .is_ok_and(|ip| ip.is_loopback());
    loopback || name.eq_ignore_ascii_case("localhost")
}

/// Compares without telling by its time how much was right.
fn equal(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .fold(0, |all, (a, b)| all | (a ^ b))
            == 0
}
