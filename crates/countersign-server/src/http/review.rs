//! The access review, for readers: who may do what, who did, and what is stale.

use axum::Json;
use axum::extract::State;
use countersign_api::PersonRef;
use countersign_api::review::{
    AccessReview, ReviewedGrant, ReviewedLog, ReviewedPerson, ReviewedPolicy, ReviewedRight, ReviewedToken,
    Stale,
};
use countersign_core::id::PersonId;
use countersign_core::person::Person;
use countersign_core::text::Name;
use countersign_core::time::Time;
use countersign_core::token::Token;
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::address::Asked;
use super::gate::Viewer;
use super::names::{self, Known};
use super::problem::Rejected;
use crate::review::{self, Finding, Grant, Held, Review, ReviewError, Scope};

/// How many days are looked at unless it is said.
const DAYS: u32 = 90;

/// Ten years.
const MOST_DAYS: u32 = 3_660;

/// What to review.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewQuery {
    /// How many days to look at, 1 to 3660; 90 unless it is said.
    pub days: Option<u32>,
    /// Only rights in this environment.
    #[param(value_type = Option<String>)]
    pub environment: Option<Name>,
}

/// Who can ask for, agree to and execute what, who did, and what is stale.
#[utoipa::path(get, path = "/admin/access-review", tag = "access", params(ReviewQuery), responses((status = 200, body = AccessReview)))]
pub(super) async fn show(
    State(app): State<App>,
    _: Viewer,
    Asked(query): Asked<ReviewQuery>,
) -> Result<Json<AccessReview>, Rejected> {
    let days = query.days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Rejected::malformed(format!("`days` is 1 to {MOST_DAYS}")));
    }
    let busy = |_| Rejected::unavailable("other reviews or bundles are being made".to_owned());
    let _place = app.exports.try_acquire().map_err(busy)?;
    let (size, state) = app.engine.state_with_size();
    let scope = Scope { size, state, until: app.engine.now(), days, environment: query.environment };
    let (made, scope) = app.engine.read(move |reader| made(reader, scope)).await?;
    let known = app.known().await;
    Ok(Json(shown(&scope, &made?, &known)))
}

/// The outer error is the store's, the inner one is about what was asked.
fn made(
    reader: &mut dyn crate::store::Reader,
    scope: Scope,
) -> Result<(Result<Review, Rejected>, Scope), crate::store::StoreError> {
    let made = match review::make(reader, &scope) {
        Ok(review) => Ok(review),
        Err(ReviewError::Store(error)) => return Err(error),
        Err(error @ ReviewError::TooMuch) => Err(Rejected::malformed(error)),
        Err(error @ ReviewError::NoPolicy) => Err(Rejected::unavailable(error.to_string())),
    };
    Ok((made, scope))
}

fn shown(scope: &Scope, review: &Review, known: &Known) -> AccessReview {
    let state = &scope.state;
    let (log, policy) = (state.log(), state.policy());
    let person = |id: PersonId| names::person(id, known);
    let tokens = state.tokens().filter(|token| state.live_token(token.id, scope.until).is_ok());
    AccessReview {
        log: ReviewedLog {
            origin: log.map(|log| log.origin.clone()).unwrap_or_default(),
            size: scope.size,
            root: review.root.to_string(),
        },
        policy: ReviewedPolicy {
            name: policy.map(|it| it.policy.name.to_string()).unwrap_or_default(),
            sha256: policy.map(|it| it.sha256.to_string()).unwrap_or_default(),
            since: policy.map(|it| it.activated_at.to_string()).unwrap_or_default(),
        },
        days: scope.days,
        from: scope.from().to_string(),
        until: scope.until.to_string(),
        environment: scope.environment.as_ref().map(ToString::to_string),
        people: state.people().map(|(_, it)| of_person(scope, (review, it), known)).collect(),
        rights: review.rights.iter().map(|held| of_right(scope, held, known)).collect(),
        tokens: tokens.map(|token| of_token(review, token, person(token.owner))).collect(),
        stale: review.stale.iter().map(|finding| stale(finding, known)).collect(),
    }
}

fn of_token(review: &Review, token: &Token, owner: PersonRef) -> ReviewedToken {
    let grants = review.grants.iter().filter(|grant| grant.token == token.id);
    ReviewedToken {
        id: token.id.to_string(),
        resource: token.resource.to_string(),
        owner,
        environment: token.environment.to_string(),
        scopes: token.scopes.iter().map(ToString::to_string).collect(),
        issued_at: token.issued_at.to_string(),
        workload: token.workload.as_ref().map(ToString::to_string),
        parent: token.parent.map(|parent| parent.to_string()),
        grants: grants.filter_map(|grant| of_grant(review, grant)).collect(),
        expires_at: token.expires_at.to_string(),
        uses: token.uses,
        last_used_at: token.last_used.map(|at| at.to_string()),
    }
}

fn of_grant(review: &Review, grant: &Grant) -> Option<ReviewedGrant> {
    let held = review.rights.get(grant.right)?;
    let [verb, resource, environment] = grant.of.clone();
    Some(ReviewedGrant {
        right: held.right.as_str().to_owned(),
        scope: grant.scope.to_string(),
        rule: held.rule.as_ref().map(ToString::to_string).unwrap_or_default(),
        verb,
        resource,
        environment,
        group: held.group.to_string(),
        approval: if grant.consent { "required" } else { "not-required" }.to_owned(),
    })
}

fn of_person(scope: &Scope, (review, it): (&Review, &Person), known: &Known) -> ReviewedPerson {
    let policy = scope.state.policy().map(|in_force| &in_force.policy);
    let groups = policy.into_iter().flat_map(|policy| {
        let all =
            policy.groups.keys().chain(policy.nested.keys().filter(|it| !policy.groups.contains_key(*it)));
        all.filter(|group| policy.is_member(group, it.id)).map(ToString::to_string)
    });
    let count = review.books.of_person(it.id);
    ReviewedPerson {
        person: names::person(it.id, known),
        status: it.status().to_owned(),
        enrolled_at: it.enrolled_at.to_string(),
        groups: groups.collect(),
        entries: count.times,
        last_entry_at: count.last.map(|at: Time| at.to_string()),
    }
}

fn of_right(scope: &Scope, held: &Held, known: &Known) -> ReviewedRight {
    let [verb, resource, environment] = held.of.clone();
    let status = scope.state.person(held.person).map_or("unknown", Person::status);
    ReviewedRight {
        right: held.right.as_str().to_owned(),
        rule: held.rule.as_ref().map_or("access".to_owned(), ToString::to_string),
        verb,
        resource,
        environment,
        group: held.group.to_string(),
        through: held.through.iter().map(ToString::to_string).collect(),
        person: names::person(held.person, known),
        status: status.to_owned(),
        uses: held.used.map(|count| count.times),
        last_used_at: held.used.and_then(|count| count.last).map(|at| at.to_string()),
    }
}

fn stale(finding: &Finding, known: &Known) -> Stale {
    Stale {
        kind: finding.kind.as_str().to_owned(),
        person: names::person(finding.person, known),
        what: finding.what.clone(),
        since: finding.since.map(|at| at.to_string()),
    }
}
