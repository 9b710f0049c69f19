//! Which requests somebody has to do with: those they made, those that wait for their vote, and those of which nothing can come.

use countersign_core::id::PersonId;
use countersign_core::time::Time;
use countersign_core::{Item, State, approval};
use serde::Deserialize;
use utoipa::IntoParams;

use super::gate::Caller;
use super::problem::Rejected;
use super::{App, lists};
use crate::engine::{EngineError, codec};
use crate::store::RecordQuery;

/// Most records that are looked at for one page: a page may be shorter than asked for and still have a next one.
const MOST_LOOKED_AT: usize = 10_000;

/// Records read at once.
const BATCH: usize = 200;

pub(super) const LISTED: lists::Kind = lists::Kind {
    name: "approval",
    states: &["pending", "approved", "consumed", "denied", "withdrawn", "expired"],
};

/// Which requests.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// Only requests stored in this state.
    pub status: Option<String>,
    /// Requests on the page, 1 to 200; 50 unless told otherwise. A page of one's own requests may be shorter and still have a next one.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Only those that the caller made.
    #[serde(default)]
    pub mine: bool,
    /// Only those that wait for the caller's vote, in their own place or in that of somebody who delegated it.
    #[serde(default)]
    pub for_me: bool,
    /// Only those of which nothing can come as things are.
    #[serde(default)]
    pub stuck: bool,
}

/// A page of requests. Everybody may list what is theirs or waits for them; the rest is for readers.
pub(super) async fn page(
    app: &App,
    caller: &Caller,
    query: Query,
) -> Result<(Vec<Item>, Option<String>), Rejected> {
    if !query.mine && !query.for_me {
        caller.sees(app, |_, _| false)?;
    }
    let limit = lists::limit(query.limit)?;
    let plain = lists::Query { status: query.status.clone(), limit: query.limit, after: query.after.clone() };
    if !query.mine && !query.for_me && !query.stuck {
        return lists::page(app, &LISTED, plain).await;
    }
    lists::check(&LISTED, &plain)?;
    let wanted = Wanted { me: caller.in_person()?, now: app.engine.now(), query };
    if wanted.query.for_me || wanted.query.stuck {
        return Ok(wanted.among_the_living(&app.engine.state(), limit));
    }
    wanted.among_all(app, limit).await
}

/// What is looked for.
#[derive(Clone)]
struct Wanted {
    me: PersonId,
    now: Time,
    query: Query,
}

impl Wanted {
    fn is(&self, state: &State, approval: &approval::Approval) -> bool {
        let Query { status, mine, for_me, stuck, .. } = &self.query;
        let of_status = status.as_deref().is_none_or(|status| approval.status().as_str() == status);
        of_status
            && (!mine || approval.requester == self.me)
            && (!stuck || approval.outlook(state, self.now).is_stuck())
            && (!for_me || approval.waits_for(state, (self.me, self.now)))
    }

    /// What waits for somebody, or is stuck, has not ended, and that is in memory.
    fn among_the_living(&self, state: &State, limit: usize) -> (Vec<Item>, Option<String>) {
        let before = |id: &str| self.query.after.as_deref().is_none_or(|after| id < after);
        let mut found: Vec<&approval::Approval> = state
            .approvals_newest_first()
            .filter(|approval| before(&approval.id.to_string()) && self.is(state, approval))
            .take(limit + 1)
            .collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|approval| approval.id.to_string());
        (found.into_iter().cloned().map(Item::Approval).collect(), next)
    }

    async fn among_all(self, app: &App, limit: usize) -> Result<(Vec<Item>, Option<String>), Rejected> {
        let state = app.engine.state();
        let (mut found, mut after, mut looked_at) = (Vec::new(), self.query.after.clone(), 0);
        loop {
            let (status, before) = (self.query.status.clone(), after.clone());
            let asked = RecordQuery { kind: LISTED.name, status, before, limit: BATCH };
            let records = app.engine.read(move |reader| reader.records(&asked)).await?;
            for record in &records {
                let Item::Approval(approval) = codec::item(record).map_err(EngineError::from)? else {
                    continue;
                };
                if self.is(&state, &approval) {
                    if found.len() == limit {
                        return Ok((found, after));
                    }
                    found.push(Item::Approval(approval));
                }
                after = Some(record.id.clone());
            }
            looked_at += records.len();
            if records.len() < BATCH {
                return Ok((found, None));
            }
            if looked_at >= MOST_LOOKED_AT {
                return Ok((found, after));
            }
        }
    }
}
