//! Passwords with one-time codes on the pages, where the policy takes them.
//!
//! Whatever is typed is looked at in the same way, whether there is such a person, whether they have a password, and whether they are still there: one
//! text, one amount of work. What cannot be told apart here is told apart by nobody else either.
//!
//! # Layout
//! - `sign_in`: signing in
//! - `choose`: the form by which one is chosen, with the secret of its codes; recovery codes, shown once
//! - `claim`: choosing one with a one-time link
//! - `account`: one's own: choosing another one, fresh recovery codes, taking it away, proving oneself by it
//! - `known`: browsers in which somebody signed in before
//! - `qr`: the picture of a secret

use axum::http::StatusCode;
use countersign_core::id::PersonId;
use countersign_core::session::Method;
use unicode_normalization::UnicodeNormalization as _;

use super::super::attempts::Network;
use super::super::guesses;
use super::super::names::Known;
use super::super::problem::{Rejected, Words};
use super::super::{App, meter};
use super::account::prove_by;
use super::visit::{Asked, SignedIn};
use crate::sign_in::password::Password;
use crate::sign_in::verifiers::{Account, Typed, VerifierError, Verifiers};
use known::KnownBrowser;

pub(super) mod account;
pub(super) mod choose;
pub(super) mod claim;
mod known;
mod qr;
pub(super) mod sign_in;

/// When to come again to a node that looks at as many passwords as it can, seconds.
const COME_AGAIN_SECONDS: u32 = 2;

/// What checks passwords, if the policy in force takes any.
fn taken(app: &App) -> Option<&Verifiers> {
    let state = app.engine.state();
    let takes = state.policy().is_some_and(|in_force| in_force.policy.sign_in.password);
    app.verifiers.as_deref().filter(|_| takes)
}

/// Whether the policy in force takes passwords.
pub(super) fn are_taken(app: &App) -> bool {
    taken(app).is_some()
}

/// Whether somebody could prove themselves by one.
pub(super) fn is_held(app: &App, person: PersonId) -> bool {
    are_taken(app) && app.engine.state().person(person).is_some_and(|person| person.password.is_some())
}

fn verifiers(app: &App) -> Result<&Verifiers, Rejected> {
    taken(app).ok_or_else(|| {
        let refusal = countersign_core::password::Refusal::NotTaken;
        Rejected::refused(&refusal.into(), &Known::default())
    })
}

/// What was typed: once the spaces are gone that apps show within codes. A code is used once by its number and not by how it is written.
fn typed(password: &str, code: &str) -> Typed {
    Typed { password: Password::typed(password), code: code.split_whitespace().collect() }
}

/// What came of looking.
enum Looked {
    Right(Method),
    Wrong,
    /// It was not looked at; seconds to wait.
    Waits(u32),
}

/// Who is tried, under the name by which that is counted.
struct Whose {
    account: Option<Account>,
    counted: String,
    network: Network,
    /// Whether what is counted is one browser or session, whatever comes from its network.
    is_known: bool,
}

impl Whose {
    /// The person's own, whoever is in their session. Counted by session: what others try elsewhere does not reach into it.
    fn own(app: &App, (me, network): (SignedIn, Network)) -> Self {
        let account = Account::of(&app.engine.state(), me.me);
        Self { account, counted: format!("session {}", me.session), network, is_known: true }
    }

    /// Of whoever has this id, or is the only one called so who has a password.
    fn named(app: &App, known: &Known, (name, network, browser): (&str, Network, &KnownBrowser)) -> Self {
        let (state, name) = (app.engine.state(), folded(name));
        let by_name = || {
            let called =
                known.iter().filter(|(_, known)| known.as_deref().map(folded).as_ref() == Some(&name));
            let mut accounts = called.filter_map(|(id, _)| Some((*id, Account::of(&state, *id)?)));
            accounts.next().filter(|_| accounts.next().is_none())
        };
        let found = match name.parse::<PersonId>() {
            Ok(id) => Some((id, Account::of(&state, id))),
            Err(_) => by_name().map(|(id, account)| (id, Some(account))),
        };
        let (id, account) = found.unzip();
        let account = account.flatten();
        if let Some(number) = account.as_ref().and_then(|account| browser.number(app, account)) {
            let counted = format!("browser {number}");
            return Self { account, counted, network, is_known: true };
        }
        let counted = id.map_or_else(|| format!("nobody {name}"), |id| id.to_string());
        Self { account, counted, network, is_known: false }
    }

    /// Looks at it, as one more try.
    async fn look(&self, app: &App, typed: Typed) -> Result<Looked, Rejected> {
        let (now, whose) = (app.engine.now(), self.counted());
        let tried = (self.network, self.account.as_ref().map(Account::person));
        if let Err(seconds) = app.guesses.begin(whose, now) {
            meter::sign_in_refused("too-many");
            app.guessed(tried);
            return Ok(Looked::Waits(seconds));
        }
        match verifiers(app)?.check(self.account.clone(), typed, now).await {
            Ok(Some(method)) => Ok(Looked::Right(method)),
            Ok(None) => {
                meter::sign_in_refused("wrong");
                app.guessed(tried);
                Ok(Looked::Wrong)
            }
            Err(error) => {
                app.guesses.take_back(whose, now);
                Err(not_now(&error))
            }
        }
    }

    /// It was right, and good for what it was shown for.
    fn right(&self, app: &App) {
        app.guesses.right(self.counted(), app.engine.now());
    }

    fn counted(&self) -> guesses::Whose<'_> {
        (Some(self.network).filter(|_| !self.is_known), &self.counted)
    }
}

/// A name as people type it: without blanks around it, in small letters, in one form of Unicode.
fn folded(name: &str) -> String {
    name.trim().nfc().collect::<String>().to_lowercase()
}

/// Proves once more who somebody is, for one request.
pub(super) async fn step_up(
    app: &App,
    (me, network): (SignedIn, Network),
    (asked, password, code): (&Asked<'_>, &str, &str),
) -> Result<(), Rejected> {
    let whose = Whose::own(app, (me, network));
    match whose.look(app, typed(password, code)).await? {
        Looked::Right(method) => {
            prove_by(app, me, (asked, method, None)).await?;
            whose.right(app);
            Ok(())
        }
        Looked::Wrong => Err(Rejected::new(
            StatusCode::FORBIDDEN,
            Words {
                code: "not_proved",
                detail: "password and code are not right together".into(),
                hint: "a code works once: take the next one that the app shows",
            },
        )),
        Looked::Waits(seconds) => Err(too_many(seconds)),
    }
}

fn too_many(seconds: u32) -> Rejected {
    let words = Words {
        code: "too_many_passwords",
        detail: format!("there were too many wrong passwords or codes: wait {seconds} seconds"),
        hint: "whoever is signed in stays so, and passkeys do not wait",
    };
    Rejected::new(StatusCode::TOO_MANY_REQUESTS, words).after(seconds)
}

fn not_now(error: &VerifierError) -> Rejected {
    if matches!(error, VerifierError::Busy) {
        meter::sign_in_refused("busy");
    } else {
        tracing::error!(%error, "a password could not be looked at");
    }
    Rejected::unavailable("the node cannot look at another password now".into()).after(COME_AGAIN_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_it_reads_as() {
        for typed in ["Ana María", " ana maría ", "ANA MARI\u{301}A"] {
            assert_eq!(folded(typed), "ana maría", "{typed}");
        }
        assert_ne!(folded("Ana Maria"), "ana maría");
    }
}
