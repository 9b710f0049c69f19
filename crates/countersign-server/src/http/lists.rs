//! Lists over the records: newest first, keyset pagination by id, filtered by stored state.

use countersign_core::{Item, Subject};
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::problem::Rejected;
use crate::engine::{EngineError, codec};
use crate::store::RecordQuery;

/// Items on a page, unless told otherwise.
const DEFAULT: usize = 50;

/// Most items on a page.
const MOST: usize = 200;

/// Which page of a list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// Only items stored in this state. Silence past a deadline is written down a little later than it is shown.
    pub status: Option<String>,
    /// Items on the page, 1 to 200; 50 unless told otherwise.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// What is listed, and the states it can be stored in.
pub(super) struct Kind {
    pub name: &'static str,
    pub states: &'static [&'static str],
}

/// A page of items and where the next one begins.
pub(super) async fn page(
    app: &App,
    kind: &Kind,
    query: Query,
) -> Result<(Vec<Item>, Option<String>), Rejected> {
    let limit = limit(query.limit)?;
    check(kind, &query)?;
    let asked = RecordQuery { kind: kind.name, status: query.status, before: query.after, limit: limit + 1 };
    let mut records = app.engine.read(move |reader| reader.records(&asked)).await?;
    let more = records.len() > limit;
    records.truncate(limit);
    let next = records.last().filter(|_| more).map(|record| record.id.clone());
    let items = records.iter().map(codec::item).collect::<Result<_, _>>().map_err(EngineError::from)?;
    Ok((items, next))
}

/// A word that no item can have, or a place that no page gave, would look like an empty list.
pub(super) fn check(kind: &Kind, query: &Query) -> Result<(), Rejected> {
    let Kind { name, states } = kind;
    if let Some(status) = query.status.as_deref().filter(|status| !states.contains(status)) {
        let what = format!("`status` is one of {}, not `{}`", states.join(", "), status.escape_debug());
        return Err(Rejected::malformed(what));
    }
    let Some(after) = &query.after else { return Ok(()) };
    let subject = after.parse::<Subject>().ok().filter(|subject| codec::record_kind(subject) == *name);
    match subject {
        Some(_) => Ok(()),
        None => {
            let what = format!("`after` is `next` of the page before, not `{}`", after.escape_debug());
            Err(Rejected::malformed(what))
        }
    }
}

pub(super) fn limit(asked: Option<usize>) -> Result<usize, Rejected> {
    let limit = asked.unwrap_or(DEFAULT);
    if (1..=MOST).contains(&limit) {
        Ok(limit)
    } else {
        Err(Rejected::malformed(format!("`limit` is 1 to {MOST}")))
    }
}

/// One item, live or from its record.
pub(super) async fn one(app: &App, subject: Subject) -> Result<Option<Item>, Rejected> {
    if let Some(item) = app.engine.state().item(&subject) {
        return Ok(Some(item));
    }
    let record = app
        .engine
        .read(move |reader| reader.record(codec::record_kind(&subject), &subject.to_string()))
        .await?;
    Ok(record.as_ref().map(codec::item).transpose().map_err(EngineError::from)?)
}
