//! Terminals that ask to act for somebody: each waits under a code until somebody who is signed in types it, lets it in or turns it away.
//!
//! Nothing of it is written down before somebody lets one in, and then it is a session like any other. What waits is in memory, bounded in
//! number and time: a node that restarts forgets it, and the terminal asks again. A code is typed by hand and is in no link, so that nobody lets
//! a stranger's terminal in by clicking (RFC 8628, section 5.4).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use countersign_api::terminal::{
    AnswerTerminal, RequestTerminal, Terminal, TerminalAnswer, TerminalStanding,
};
use countersign_core::Command;
use countersign_core::digest::Digest;
use countersign_core::id::{PersonId, SessionId};
use countersign_core::session::{self, Method};
use countersign_core::time::Time;
use countersign_ledger::display::visible;
use countersign_ledger::json;
use serde_json::json;

use super::address::Named;
use super::attempts::{self, Network};
use super::gate::{Caller, Open, Post};
use super::problem::{Rejected, Words};
use super::{App, random};

/// Letters of a code: no vowels, so no words; nothing that is taken for something else (RFC 8628, section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Letters in a code: 20^8 is 2.5e10, of which one guesses by hand, signed in, and slowed.
const LENGTH: usize = 8;

/// How long a code is good for, seconds.
const LIFETIME_SECONDS: u32 = 600;

/// Terminals that wait at most, and from one network.
const MOST: usize = 1_000;
const MOST_OF_A_NETWORK: usize = 20;

/// Characters of what a terminal calls itself.
const LONGEST_NAME: usize = 64;

/// What somebody types, without the dash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Code([u8; LENGTH]);

impl Code {
    fn draw() -> Result<Self, Rejected> {
        let mut code = [0; LENGTH];
        for letter in &mut code {
            *letter = drawn_letter()?;
        }
        Ok(Self(code))
    }

    /// Case, spaces and dashes do not matter.
    fn parse(typed: &str) -> Option<Self> {
        let letters: Vec<u8> = typed
            .bytes()
            .filter(|byte| !matches!(byte, b' ' | b'-'))
            .map(|byte| byte.to_ascii_uppercase())
            .collect();
        let code = <[u8; LENGTH]>::try_from(letters.as_slice()).ok()?;
        code.iter().all(|letter| LETTERS.contains(letter)).then_some(Self(code))
    }

    pub(super) fn text(&self) -> String {
        let (first, second) = self.0.split_at(LENGTH / 2);
        format!("{}-{}", String::from_utf8_lossy(first), String::from_utf8_lossy(second))
    }
}

/// Each letter as likely as any other: bytes beyond the last whole multiple are drawn again.
fn drawn_letter() -> Result<u8, Rejected> {
    let whole = u8::MAX - u8::MAX % 20;
    loop {
        let [byte] = *random::bytes()?;
        if byte < whole {
            return Ok(LETTERS[usize::from(byte % 20)]);
        }
    }
}

/// A terminal that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    session_sha256: Digest,
    pub(super) terminal: String,
    pub(super) address: Option<IpAddr>,
    network: Network,
    until: Time,
    answer: Option<Answer>,
}

impl Waiting {
    /// That it acts for this person from now on, as this session of theirs says.
    pub(super) fn admission(&self, (person, by): (PersonId, SessionId)) -> Command {
        Command::OpenSession(session::Open {
            person,
            method: Method::HandedOn { session: by },
            session_sha256: self.session_sha256,
            replaces: None,
            spent: None,
        })
    }

    /// What is kept beside the session that opens for it.
    pub(super) fn details(&self) -> Result<Vec<u8>, Rejected> {
        let details = json!({ "terminal": self.terminal, "address": self.address });
        json::to_canonical(&details).map_err(Rejected::malformed)
    }
}

/// What somebody said to a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Admitted,
    TurnedAway,
}

/// Terminals that wait, on this node.
#[derive(Clone, Debug, Default)]
pub(super) struct Terminals(Arc<Mutex<BTreeMap<Code, Waiting>>>);

/// Why a terminal cannot wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Crowded;

impl Terminals {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Code, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a terminal in. Whoever asks again for the same session waits under the same code.
    fn take_in(&self, fresh: Code, waiting: Waiting, now: Time) -> Result<(Code, Waiting), Crowded> {
        let mut all = self.waiting();
        all.retain(|_, it| now < it.until);
        let same = |(_, it): &(&Code, &Waiting)| it.session_sha256 == waiting.session_sha256;
        if let Some((code, it)) = all.iter().find(same) {
            return Ok((code.clone(), it.clone()));
        }
        let of_network = all.values().filter(|it| it.network == waiting.network).count();
        if all.len() >= MOST || of_network >= MOST_OF_A_NETWORK || all.contains_key(&fresh) {
            return Err(Crowded);
        }
        all.insert(fresh.clone(), waiting.clone());
        Ok((fresh, waiting))
    }

    fn find(&self, code: &Code, now: Time) -> Option<Waiting> {
        let is_open = |it: &&Waiting| now < it.until && it.answer != Some(Answer::TurnedAway);
        self.waiting().get(code).filter(is_open).cloned()
    }

    fn of_session(&self, session_sha256: &Digest, now: Time) -> Option<Waiting> {
        let all = self.waiting();
        all.values().find(|it| it.session_sha256 == *session_sha256 && now < it.until).cloned()
    }

    pub(super) fn answer(&self, code: &Code, answer: Answer) {
        if let Some(it) = self.waiting().get_mut(code) {
            it.answer = Some(answer);
        }
    }
}

/// The address a request comes from, where the listener tells.
pub(super) struct Peer(Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(attempts::peer(&parts.extensions)))
    }
}

/// Ask that a terminal be let in: somebody who is signed in types the code at `/device`. Needs no credential and appends nothing.
#[utoipa::path(post, path = "/admin/terminals", tag = "sessions", request_body = RequestTerminal, responses((status = 201, body = Terminal)))]
pub(super) async fn ask(
    State(app): State<App>,
    network: Network,
    Peer(address): Peer,
    Open(body): Open<RequestTerminal>,
) -> Result<(StatusCode, Json<Terminal>), Rejected> {
    let session_sha256 = body.session_sha256.parse().map_err(Rejected::malformed)?;
    if !(1..=LONGEST_NAME).contains(&body.terminal.chars().count()) {
        let what = format!("`terminal` has 1 to {LONGEST_NAME} characters");
        return Err(Rejected::malformed(what));
    }
    let now = app.engine.now();
    let (terminal, until) = (visible(&body.terminal), now.plus_seconds(LIFETIME_SECONDS));
    let waiting = Waiting { session_sha256, terminal, address, network, until, answer: None };
    let (code, waiting) = app.terminals.take_in(Code::draw()?, waiting, now).map_err(|Crowded| crowded())?;
    Ok((StatusCode::CREATED, Json(show(&code, &waiting))))
}

/// How it stands with a terminal that asked, by the SHA-256 of its session. For the terminal, which asks every two seconds or so.
#[utoipa::path(get, path = "/admin/terminals/sessions/{sha256}", tag = "sessions", params(("sha256" = String, Path)), responses((status = 200, body = TerminalStanding)))]
pub(super) async fn standing(
    State(app): State<App>,
    Named(sha256): Named<String>,
) -> Result<Json<TerminalStanding>, Rejected> {
    let sha256: Digest = sha256.parse().map_err(Rejected::malformed)?;
    let (state, now) = (app.engine.state(), app.engine.now());
    let is_admitted = state.session_holder(&sha256).is_some();
    let status = match app.terminals.of_session(&sha256, now) {
        _ if is_admitted => "admitted",
        Some(it) if it.answer == Some(Answer::TurnedAway) => "turned-away",
        Some(_) => "waiting",
        None => "unknown",
    };
    Ok(Json(TerminalStanding { status: status.to_owned() }))
}

/// The terminal that waits under a code. Only for whoever is signed in.
#[utoipa::path(get, path = "/admin/terminals/{code}", tag = "sessions", params(("code" = String, Path)), responses((status = 200, body = Terminal)))]
pub(super) async fn look(
    State(app): State<App>,
    network: Network,
    caller: Caller,
    Named(typed): Named<String>,
) -> Result<Json<Terminal>, Rejected> {
    let (code, waiting) = found(&app, (network, caller), &typed)?;
    if waiting.answer.is_some() {
        return Err(Rejected::not_found("terminal", &typed));
    }
    Ok(Json(show(&code, &waiting)))
}

/// Let the terminal act as oneself, by a session of its own, or turn it away. Only from a session, and to let it in, from one in which one
/// proved oneself in the last ten minutes.
#[utoipa::path(post, path = "/admin/terminals/{code}/answer", tag = "sessions", params(("code" = String, Path)), request_body = AnswerTerminal, responses((status = 200, body = TerminalStanding)))]
pub(super) async fn answer(
    State(app): State<App>,
    network: Network,
    Named(typed): Named<String>,
    post: Post<AnswerTerminal>,
) -> Result<Json<TerminalStanding>, Rejected> {
    let by = post.sender.session().ok_or_else(no_session)?;
    let (code, waiting) = found(&app, (network, post.sender.whole_caller()), &typed)?;
    // One that was let in is still found: whoever lost the answer asks again, and the engine knows the request.
    if post.body.answer == TerminalAnswer::TurnAway {
        app.terminals.answer(&code, Answer::TurnedAway);
        return Ok(told("turned-away"));
    }
    let command = waiting.admission((post.sender.caller(), by));
    app.submit(post.sender.submission(command).with_details(waiting.details()?)).await?;
    app.terminals.answer(&code, Answer::Admitted);
    Ok(told("admitted"))
}

fn told(status: &str) -> Json<TerminalStanding> {
    Json(TerminalStanding { status: status.to_owned() })
}

/// The terminal, for somebody who is signed in. Wrong codes are counted as wrong claims are: who is signed in shall not try them out.
pub(super) fn found(
    app: &App,
    (network, caller): (Network, Caller),
    typed: &str,
) -> Result<(Code, Waiting), Rejected> {
    caller.session.ok_or_else(no_session)?;
    let now = app.engine.now();
    let code = Code::parse(typed);
    if let Some(found) = code.and_then(|code| app.terminals.find(&code, now).map(|waiting| (code, waiting))) {
        return Ok(found);
    }
    app.attempts.admit(network, now).map_err(too_many)?;
    Err(Rejected::not_found("terminal", typed))
}

fn show(code: &Code, waiting: &Waiting) -> Terminal {
    Terminal {
        code: code.text(),
        terminal: waiting.terminal.clone(),
        address: waiting.address.map(|address| address.to_string()),
        expires_at: waiting.until.to_string(),
    }
}

fn no_session() -> Rejected {
    let words = Words {
        code: "session_required",
        detail: "only whoever is signed in lets a terminal in".into(),
        hint: "sign in with the browser, and type the code there",
    };
    Rejected::new(StatusCode::FORBIDDEN, words)
}

fn too_many(seconds: u32) -> Rejected {
    let words = Words {
        code: "too_many_codes",
        detail: "too many codes under which no terminal waits".into(),
        hint: "wait a little, and type the code that your terminal shows",
    };
    Rejected::new(StatusCode::TOO_MANY_REQUESTS, words).after(seconds)
}

fn crowded() -> Rejected {
    let words = Words {
        code: "too_many_terminals",
        detail: "too many terminals wait to be let in".into(),
        hint: "each waits for ten minutes at most: try again later",
    };
    Rejected::new(StatusCode::TOO_MANY_REQUESTS, words).after(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(session: &str, network: Network, until: i64) -> Waiting {
        Waiting {
            session_sha256: Digest::of(session.as_bytes()),
            terminal: "laptop".into(),
            address: None,
            network,
            until: Time::from_millis(until),
            answer: None,
        }
    }

    fn code(number: usize) -> Code {
        let letter = |place: usize| LETTERS[number / 20_usize.pow(u32::try_from(place).unwrap()) % 20];
        Code(std::array::from_fn(letter))
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = Code::parse("WDJB-MJHT").unwrap();
        assert_eq!(code.text(), "WDJB-MJHT");
        assert_eq!(Code::parse("wdjbmjht"), Some(code.clone()));
        assert_eq!(Code::parse(" wdjb mjht"), Some(code));
        for typed in ["", "WDJB-MJH", "WDJB-MJHTT", "WDJB-MJHA", "WDJB-MJH\u{212a}"] {
            assert_eq!(Code::parse(typed), None, "{typed}");
        }
        let drawn = Code::draw().unwrap();
        assert_eq!(Code::parse(&drawn.text()), Some(drawn));
    }

    #[test]
    fn no_more_wait_than_there_is_room_for_and_each_for_its_time() {
        let terminals = Terminals::default();
        let at = Time::from_millis;
        let network = |n: usize| Network::V6([0, 0, u16::try_from(n).unwrap()]);
        for number in 0..MOST {
            let it = waiting(&number.to_string(), network(number), 1_000);
            terminals.take_in(code(number), it, at(0)).unwrap();
        }
        let late = || waiting("late", network(MOST), 2_000);
        assert_eq!(terminals.take_in(code(MOST), late(), at(999)).err(), Some(Crowded));
        assert!(terminals.find(&code(7), at(999)).is_some());
        assert!(terminals.find(&code(7), at(1_000)).is_none());
        terminals.take_in(code(MOST), late(), at(1_000)).unwrap();
    }

    #[test]
    fn one_network_does_not_take_the_room_of_the_others() {
        let terminals = Terminals::default();
        let at = Time::from_millis(0);
        for number in 0..MOST_OF_A_NETWORK {
            terminals.take_in(code(number), waiting(&number.to_string(), Network::Unknown, 1), at).unwrap();
        }
        let more = waiting("more", Network::Unknown, 1);
        assert_eq!(terminals.take_in(code(100), more, at).err(), Some(Crowded));
        terminals.take_in(code(100), waiting("other", Network::Other, 1), at).unwrap();
    }

    #[test]
    fn who_asks_again_waits_under_the_same_code_until_somebody_answers() {
        let terminals = Terminals::default();
        let at = Time::from_millis(0);
        let it = || waiting("one", Network::Unknown, 1);
        let (first, _) = terminals.take_in(code(1), it(), at).unwrap();
        let (second, _) = terminals.take_in(code(2), it(), at).unwrap();
        assert_eq!(first, second);
        terminals.answer(&first, Answer::Admitted);
        assert!(terminals.find(&first, at).is_some(), "a lost answer is asked for again");
        terminals.answer(&first, Answer::TurnedAway);
        assert!(terminals.find(&first, at).is_none());
        assert_eq!(terminals.of_session(&Digest::of(b"one"), at).unwrap().answer, Some(Answer::TurnedAway));
    }
}
