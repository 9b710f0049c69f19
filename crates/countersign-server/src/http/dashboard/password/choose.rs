//! Choosing a password: it is typed, an app takes over the secret of its codes and shows that by one, and recovery codes are shown, once.
//!
//! The secret follows from the challenge of the form under the node's key, so the node need not remember it until the form comes back, and nobody
//! chooses one for somebody else.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::password::NewPassword;
use countersign_core::time::Time;
use zeroize::Zeroizing;

use super::super::super::problem::{Rejected, Words};
use super::super::super::{App, Site};
use super::super::challenge::{self, Challenge, Purpose};
use super::super::page::{Shell, html, part, sentence};
use super::{not_now, qr, verifiers};
use crate::sign_in::SignInError;
use crate::sign_in::password::{FEWEST, Password};
use crate::sign_in::recovery::{CODES, RecoveryCode};
use crate::sign_in::totp::Seed;

/// Characters of a name that an app is given to show, so that the link fits into a picture.
const LONGEST_LABEL: usize = 40;

/// What a form for a password sends, beside what it is for.
pub(super) struct Chosen {
    pub challenge: String,
    pub password: Zeroizing<String>,
    pub code: String,
}

/// For whom a form is, and where it is sent.
pub(super) struct For<'a> {
    /// To whom the form is given: see [`Purpose::Password`].
    pub holder: &'a str,
    /// What they are called, as the app will show it.
    pub name: &'a str,
    pub action: &'static str,
    pub token: String,
    /// What goes along unseen.
    pub hidden: &'a [(&'static str, &'a str)],
    pub button: &'static str,
}

#[derive(Template)]
#[template(path = "password/choose.html")]
struct Form<'a> {
    it: &'a For<'a>,
    told: Option<String>,
    challenge: &'a str,
    fewest: usize,
    picture: String,
    link: Zeroizing<String>,
    seed: Zeroizing<String>,
}

/// The form, afresh.
pub(super) fn form(app: &App, it: &For<'_>) -> Result<String, Rejected> {
    let challenge = challenge::issue(app.site()?, Purpose::Password(it.holder), app.engine.now())?;
    filled(app, it, (&challenge, None))
}

/// The form once more, with the same secret and why nothing came of it.
pub(super) fn again(app: &App, it: &For<'_>, (challenge, why): (&str, Rejected)) -> Result<String, Rejected> {
    let problem = why.into_problem();
    let told = format!("{} {}", sentence(&problem.detail), sentence(&problem.hint));
    filled(app, it, (challenge, Some(told)))
}

fn filled(app: &App, it: &For<'_>, (challenge, told): (&str, Option<String>)) -> Result<String, Rejected> {
    let seed = seed(app.site()?, challenge);
    let label: String = it.name.chars().take(LONGEST_LABEL).collect();
    let link = seed.link(&label);
    let picture = qr::svg(&link)?;
    part(&Form { it, told, challenge, fewest: FEWEST, picture, link, seed: seed.text() })
}

fn seed(site: &Site, challenge: &str) -> Seed {
    Seed::from_bytes(&site.mark(&[b"totp-seed", challenge.as_bytes()]).0)
}

/// A password that is sealed already and is to be named by an entry next, with the codes to show if it is.
pub(super) struct Sealed {
    pub new: NewPassword,
    pub codes: [RecoveryCode; CODES],
}

impl Chosen {
    /// The challenge, if it was given to this holder.
    pub(super) fn challenge(&self, app: &App, holder: &str) -> Result<Challenge, Rejected> {
        challenge::open(app.site()?, Purpose::Password(holder), (&self.challenge, app.engine.now()))
    }

    /// Seals what was chosen, if it is good and the app has the secret.
    pub(super) async fn seal(&self, app: &App, (person, name): (PersonId, &str)) -> Result<Sealed, Rejected> {
        let password = Password::chosen(&self.password, name).map_err(weak)?;
        let seed = seed(app.site()?, &self.challenge);
        let code: String = self.code.split_whitespace().collect();
        let step = seed.step_of(&code, seconds(app.engine.now()), None).ok_or_else(not_the_code)?;
        let codes = draw()?;
        let kept = verifiers(app)?.keep(password, (seed, step)).await;
        let verifier_sha256 = kept.map_err(|error| not_now(&error))?;
        let recovery = codes.iter().map(|code| code.sha256(person)).collect();
        Ok(Sealed { new: NewPassword { recovery, verifier_sha256 }, codes })
    }
}

impl Sealed {
    /// What became of it: of what the ledger refused nothing is kept. Where nobody knows, the next start finds out.
    pub(super) async fn settle<T>(&self, app: &App, outcome: Result<T, Rejected>) -> Result<T, Rejected> {
        if outcome.as_ref().is_err_and(|rejected| rejected.status().is_client_error()) {
            forget(app, self.new.verifier_sha256).await;
        }
        outcome
    }
}

/// Takes away what the ledger names no more. If that fails, it is done at the next start.
pub(super) async fn forget(app: &App, verifier_sha256: Digest) {
    let Some(verifiers) = &app.verifiers else { return };
    if let Err(error) = verifiers.forget(verifier_sha256).await {
        tracing::warn!(%error, "a verifier that is not used any more stays until the next start");
    }
}

/// A set of fresh codes.
pub(super) fn draw() -> Result<[RecoveryCode; CODES], Rejected> {
    RecoveryCode::draw_set().map_err(|error| no_randomness(&error))
}

#[derive(Template)]
#[template(path = "password/codes.html")]
struct Codes {
    shell: Shell,
    codes: Vec<Zeroizing<String>>,
    next: &'static str,
    signed_out: bool,
}

/// Recovery codes, this once.
pub(super) fn codes(shell: Shell, codes: &[RecoveryCode], signed_out: bool) -> Response {
    let codes = codes.iter().map(RecoveryCode::text).collect();
    let next = if signed_out { "/sign-in" } else { "/" };
    html(StatusCode::OK, &Codes { shell, codes, next, signed_out })
}

fn weak(why: impl std::fmt::Display) -> Rejected {
    let words = Words {
        code: "password_weak",
        detail: why.to_string(),
        hint: "a sentence that only you would think of is a good one; whatever characters you like are in it",
    };
    Rejected::new(StatusCode::UNPROCESSABLE_ENTITY, words)
}

fn not_the_code() -> Rejected {
    let words = Words {
        code: "code_wrong",
        detail: "this is not the code that the app shows for this secret now".into(),
        hint: "scan the picture, take the code it shows then, and see that the clocks are right",
    };
    Rejected::new(StatusCode::UNPROCESSABLE_ENTITY, words)
}

fn no_randomness(error: &SignInError) -> Rejected {
    Rejected::unavailable(error.to_string())
}

fn seconds(time: Time) -> u64 {
    u64::try_from(time.as_millis() / 1_000).unwrap_or_default()
}
