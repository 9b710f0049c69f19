//! Out of the provider, too, for whoever signs out of what it had signed them in to (OpenID Connect RP-Initiated Logout 1.0).

use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::session::Method;

use super::super::super::App;
use super::super::super::problem::Rejected;
use super::super::page::{Shell, html, see};
use super::super::visit::SignedIn;
use super::Onward;
use crate::issuers::Ended;

/// Where somebody goes whose session has just ended, and which was opened by `method`: to the provider, if that has a place for it.
pub(in super::super) async fn left(
    app: &App,
    me: SignedIn,
    method: Option<Method>,
) -> Result<Response, Rejected> {
    let Some(Method::Sso { provider: name, .. }) = method else { return Ok(see("/sign-in")) };
    let back = format!("{}/sign-in", app.site()?.origin());
    let ended = Ended { session: me.session, redirect_uri: &back };
    let Some(to) = app.providers.leave(&name, &ended, app.engine.now()).await else {
        return Ok(see("/sign-in"));
    };
    let title = app.providers.get(&name).map(crate::issuers::Provider::title).unwrap_or_default();
    let what = format!("You are signed out here. Signing out of {title}");
    let page = Onward { shell: Shell::new("Signed out", None), what, to: to.as_str() };
    Ok(html(StatusCode::OK, &page))
}
