//! Who may use the API: a caller on this machine that presents the token.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use subtle::ConstantTimeEq;

use super::Api;
use super::error::ApiError;

/// Lets a request pass, or says why not. There are no cookies and no token in any address, so that a web
/// page can neither borrow nor leak it.
pub(super) async fn guard(
    State(api): State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let headers = request.headers();
    if !text(headers, HOST).is_some_and(|host| is_ours(host, api.config.http.listen.ip())) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "wrong_host",
            "Call this API by localhost, a loopback address, or the address of http.listen: other names could be \
             a web page's.",
        ));
    }
    let presented = text(headers, AUTHORIZATION).and_then(bearer);
    if !presented.is_some_and(|token| token.as_bytes().ct_eq(api.token.expose().as_bytes()).into()) {
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Send the node's token as `Authorization: Bearer …`; it is http.token of the configuration, or in the \
             file http-token of node.data_dir.",
        ));
    }
    Ok(next.run(request).await)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether a `Host` header can only have been written by somebody who meant this machine. A name that an
/// attacker's DNS points at 127.0.0.1 is none of them.
fn is_ours(host: &str, listen: IpAddr) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    match name.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback() || address == listen,
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_ours() {
        let listen = "10.0.0.7".parse().unwrap();
        for host in ["localhost", "LocalHost:7080", "127.0.0.1:1", "127.1.2.3", "[::1]:7080", "10.0.0.7:80"] {
            assert!(is_ours(host, listen), "{host} was refused");
        }
        for host in
            ["", "evil.example", "localhost.evil.example:7080", "10.0.0.8", "127.0.0.1.evil.example", "a b"]
        {
            assert!(!is_ours(host, listen), "{host} was taken");
        }
    }

    #[test]
    fn a_token_comes_with_its_scheme() {
        assert_eq!(bearer("bearer abc"), Some("abc"));
        for header in ["abc", "Basic abc", "Bearer"] {
            assert_eq!(bearer(header), None, "{header}");
        }
    }
}
