//! Reciprocal approval: one agreed to what the other asked for, and the other way round, within a window. Nothing forbids it, somebody
//! should look at it. Computed from the records each time; nothing is stored.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use countersign_api::approval::{Reciprocal, ReciprocalReport, ReciprocalVote};
use countersign_core::approval::Approval;
use countersign_core::id::PersonId;
use countersign_core::time::Time;
use countersign_core::{Item, policy};

use super::App;
use super::gate::Viewer;
use super::inbox::LISTED;
use super::names::{Known, person};
use super::problem::Rejected;
use crate::engine::{EngineError, codec};
use crate::store::RecordQuery;

/// Most requests that are looked at, the newest first; the report says when there are more.
const MOST_LOOKED_AT: usize = 20_000;

/// Records read at once.
const BATCH: usize = 200;

/// One person's agreement to what another asked for.
#[derive(Clone, Debug)]
struct Favour {
    approval: String,
    at: Time,
}

/// Who agreed to what whom asked for.
type Favours = BTreeMap<(PersonId, PersonId), Vec<Favour>>;

/// Pairs of people who agreed to each other's requests within the policy's window.
#[utoipa::path(get, path = "/admin/approvals/reciprocal", tag = "approvals", responses((status = 200, body = ReciprocalReport)))]
pub(super) async fn report(State(app): State<App>, _: Viewer) -> Result<Json<ReciprocalReport>, Rejected> {
    let state = app.engine.state();
    let window = state
        .policy()
        .map_or(policy::RECIPROCAL_WINDOW_SECONDS, |in_force| in_force.policy.reciprocal_window());
    let (favours, looked_at, complete) = collect(&app).await?;
    let known = app.known().await;
    let items = pairs(&favours, i64::from(window) * 1_000, &known);
    Ok(Json(ReciprocalReport { window_seconds: window, looked_at, complete, items }))
}

async fn collect(app: &App) -> Result<(Favours, usize, bool), Rejected> {
    let (mut favours, mut before, mut looked_at) = (Favours::new(), None, 0);
    while looked_at < MOST_LOOKED_AT {
        let asked = RecordQuery { kind: LISTED.name, status: None, before, limit: BATCH };
        let records = app.engine.read(move |reader| reader.records(&asked)).await?;
        for record in &records {
            if let Item::Approval(approval) = codec::item(record).map_err(EngineError::from)? {
                note(&mut favours, &approval);
            }
        }
        looked_at += records.len();
        if records.len() < BATCH {
            return Ok((favours, looked_at, true));
        }
        before = records.last().map(|record| record.id.clone());
    }
    Ok((favours, looked_at, false))
}

/// A delegate's vote is a favour of both: of who agreed, and of the person in whose place.
fn note(favours: &mut Favours, approval: &Approval) {
    for vote in &approval.votes {
        for voter in [Some(vote.person), vote.on_behalf].into_iter().flatten() {
            let favour = Favour { approval: approval.id.to_string(), at: vote.at };
            favours.entry((voter, approval.requester)).or_default().push(favour);
        }
    }
}

fn pairs(favours: &Favours, window_ms: i64, known: &Known) -> Vec<Reciprocal> {
    let shown = |(voter, favour): (PersonId, &Favour)| ReciprocalVote {
        approval: favour.approval.clone(),
        by: person(voter, known),
        at: favour.at.to_string(),
    };
    let mut found = Vec::new();
    for ((one, other), given) in favours.range(..).filter(|((one, other), _)| one < other) {
        let Some(returned) = favours.get(&(*other, *one)) else { continue };
        let near = |mine: &Favour, theirs: &[Favour]| {
            theirs.iter().any(|it| (it.at.as_millis() - mine.at.as_millis()).abs() <= window_ms)
        };
        let gave = given.iter().filter(|favour| near(favour, returned)).map(|favour| (*one, favour));
        let got = returned.iter().filter(|favour| near(favour, given)).map(|favour| (*other, favour));
        let mut votes: Vec<(PersonId, &Favour)> = gave.chain(got).collect();
        votes.sort_by_key(|(_, favour)| favour.at);
        if !votes.is_empty() {
            let people = vec![person(*one, known), person(*other, known)];
            found.push(Reciprocal { people, votes: votes.into_iter().map(shown).collect() });
        }
    }
    found
}
