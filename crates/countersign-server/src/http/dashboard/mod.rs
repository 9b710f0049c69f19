//! Pages for people: rendered here, working without a script but for passkeys, and able to do nothing that the API cannot.
//!
//! They stand inside the API and hand in the same commands; the cookie of a session is theirs alone, so no form of another page can make a
//! browser call the API. GET never acts: what links lead to only shows. Every form that acts carries a token of the session and of the very form.
//!
//! # Layout
//! - `visit`: who comes: a stranger with a cookie that says nothing, or somebody who is signed in
//! - `form`: what is posted: from our own pages only, and only once
//! - `challenge`: what passkeys sign, which the node knows again without remembering it
//! - `ceremony`: what browsers answer when a passkey is made or asked
//! - `page` `assets`: what all pages share; `filters`: how times are shown
//! - `password`: passwords with one-time codes, where the policy takes them
//! - `sso`: through an OpenID provider, and one's identities there
//! - `sign_in` `claim` `account` `voting_keys` `inbox` `approval` `device`: one page each

use axum::Router;
use axum::routing::{get, post};

use super::App;
use super::hygiene::ASSETS;

mod account;
mod approval;
mod assets;
mod ceremony;
mod challenge;
mod claim;
mod device;
mod filters;
mod form;
mod inbox;
mod page;
mod password;
mod sign_in;
mod sso;
mod visit;
mod voting_keys;

pub(super) use page::told;

/// All pages, for a node that has an address for them.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(inbox::show))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-in/password", post(password::sign_in::sign_in))
        .route("/sign-in/sso/{name}", post(sso::begin))
        .route("/sign-in/sso/{name}/callback", get(sso::back))
        .route("/sign-out", post(account::sign_out))
        .route("/claim", get(claim::show).post(claim::begin))
        .route("/claim/passkey", post(claim::finish))
        .route("/claim/password", post(password::claim::finish))
        .route("/account", get(account::show))
        .route("/account/prove", post(account::prove))
        .route("/account/prove/password", post(password::account::prove))
        .route("/account/password", get(password::account::show).post(password::account::set))
        .route("/account/password/codes", post(password::account::renew))
        .route("/account/password/remove", post(password::account::remove))
        .route("/account/prove/sso/{name}", post(sso::prove))
        .route("/account/link/{name}", post(sso::begin_link))
        .route("/account/identities/remove", post(sso::unlink))
        .route("/account/passkeys", post(account::add))
        .route("/account/passkeys/remove", post(account::remove))
        .route("/account/sessions/end", post(account::end))
        .route("/account/voting-keys", get(voting_keys::show).post(voting_keys::make))
        .route("/account/voting-keys/enroll", post(voting_keys::enroll))
        .route("/account/voting-keys/revoke", post(voting_keys::revoke))
        .route("/approvals/{id}", get(approval::show))
        .route("/approvals/{id}/approve", post(approval::approve))
        .route("/approvals/{id}/deny", post(approval::deny))
        .route("/device", get(device::show).post(device::look))
        .route("/device/let-in", post(device::let_in))
        .route("/device/turn-away", post(device::turn_away))
        .route(&format!("{ASSETS}{{name}}"), get(assets::show))
}
