//! Freezes: when they hold, and the exceptions that a reservation names.
//!
//! What an exception must have been approved for is put together here, from the reservation itself: the caller names ids only, so one
//! that was approved for another use cannot match.

use axum::Json;
use axum::extract::State;
use countersign_api::freeze::{Freeze, Freezes, Recurring, Verdict, Window};
use countersign_core::freeze::Exception;
use countersign_core::id::ApprovalId;
use countersign_core::policy::{self, Standing};
use countersign_core::time::Time;
use countersign_core::{Refusal, calendar, freeze, permit};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::App;
use super::address::Asked;
use super::approvals::show_action;
use super::gate::Viewer;
use super::parameters::bound;
use super::problem::Rejected;

/// How many windows are told that are yet to come.
const TOLD: usize = 3;

/// Most exceptions of one reservation: one from each freeze that a policy can have.
const MOST: usize = 64;

/// As of when.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// An RFC 3339 time; now unless told otherwise.
    at: Option<String>,
}

/// The freezes of the policy in force: which hold, and when they come next.
#[utoipa::path(get, path = "/admin/freezes", tag = "policy", params(Query), responses((status = 200, body = Freezes)))]
pub(super) async fn list(
    State(app): State<App>,
    _: Viewer,
    Asked(query): Asked<Query>,
) -> Result<Json<Freezes>, Rejected> {
    let at = match query.at {
        Some(text) => Time::parse_rfc3339(&text).map_err(Rejected::malformed)?,
        None => app.engine.now(),
    };
    let state = app.engine.state();
    let freezes = state.policy().into_iter().flat_map(|in_force| &in_force.policy.freezes);
    let freezes = freezes.map(|freeze| show(freeze, at)).collect();
    Ok(Json(Freezes { at: at.to_string(), tzdb: calendar::tzdb().to_owned(), freezes }))
}

fn show(freeze: &policy::Freeze, at: Time) -> Freeze {
    let standing = freeze.standing(at);
    let (status, window) = match standing {
        Standing::Inactive => ("inactive", None),
        Standing::Active(window) => ("active", Some(window)),
        Standing::Unclear => ("unclear", None),
    };
    let following = |window: &policy::Window| freeze.next(window.until);
    let first = freeze.next(window.map_or(at, |window| window.until));
    let next = std::iter::successors(first, following).take(TOLD).map(told).collect();
    let recurring = freeze.cron.as_ref().map(|cron| Recurring {
        cron: cron.to_string(),
        duration_seconds: freeze.duration_seconds.map_or(0, std::num::NonZero::get),
        time_zone: freeze.time_zone.clone().unwrap_or_default(),
    });
    Freeze {
        name: freeze.name.to_string(),
        verb: freeze.verb.to_string(),
        resource: freeze.resource.to_string(),
        environment: freeze.environment.to_string(),
        status: status.to_owned(),
        window: window.map(told),
        next,
        recurring,
    }
}

fn told(window: policy::Window) -> Window {
    Window { from: window.from.to_string(), until: window.until.to_string() }
}

/// What the freezes said when a permit was reserved.
pub(super) fn show_verdict(verdict: &freeze::Verdict) -> Verdict {
    Verdict {
        active: verdict.active.iter().map(ToString::to_string).collect(),
        excepted: verdict.excepted.iter().map(|(name, id)| (name.to_string(), id.to_string())).collect(),
        tzdb: verdict.tzdb.clone(),
    }
}

/// What an exception for a reservation must have been approved for: its approval or, where it needs none, what it would do.
pub(super) fn purpose(
    approval: Option<ApprovalId>,
    action: &countersign_api::Action,
    parameters: &Value,
) -> Value {
    match approval {
        Some(approval) => json!({ "approval": approval }),
        None => json!({ "action": action, "parameters": parameters }),
    }
}

/// The exceptions of a reservation, each with the digest of what it must have been approved for.
pub(super) async fn exceptions(
    app: &App,
    named: &[String],
    purpose: &Value,
) -> Result<Vec<Exception>, Rejected> {
    if named.len() > MOST {
        return Err(Rejected::malformed(format!("`exceptions` names at most {MOST}")));
    }
    let mut exceptions = Vec::with_capacity(named.len());
    for id in named {
        let approval: ApprovalId = id.parse().map_err(Rejected::malformed)?;
        let parameters_sha256 = bound(&app.engine, approval, purpose.clone()).await?;
        exceptions.push(Exception { approval, parameters_sha256 });
    }
    Ok(exceptions)
}

/// A ready-made request for an exception from the first freeze that holds, where one does.
pub(super) fn request(
    refusal: &Refusal,
    environment: &countersign_core::text::Name,
    purpose: &Value,
) -> Option<Value> {
    let Refusal::Permit(permit::Refusal::Frozen(held)) = refusal else { return None };
    let action = freeze::exception(&held.first()?.name, environment)?;
    Some(json!({ "action": show_action(&action), "parameters": purpose }))
}
