//! `OpenID` `AuthZEN` 1.0: could this person do this now? A question, never a permit: nothing is appended, whatever the answer.
//!
//! The answer is that of `POST /admin/permits`, decided by the same rules on the same state. Readers may ask about anybody, everybody
//! else about themselves. As that specification demands, fields that are not known are ignored, and whoever sends `X-Request-ID`
//! gets it back.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use countersign_api::access::{
    Circumstances, Decision, Decisions, Evaluation, EvaluationError, Evaluations, Metadata, Reasons, Semantic,
};
use countersign_core::action::Action;
use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::person::Person;
use countersign_core::{Actor, Command, Refusal, permit};
use serde_json::{Map, Value, json};

use super::approvals::parse_action;
use super::body::plainly;
use super::explain::Topic;
use super::gate::{Caller, Open};
use super::permits;
use super::problem::Rejected;
use super::{App, address, explain, freezes};
use crate::engine::EngineError;

/// Most questions at once.
const MOST: usize = 256;

/// What an evaluation consists of; each part may have a default where there are several.
const PARTS: [&str; 4] = ["subject", "action", "resource", "context"];

/// A question and who asks it.
pub(super) struct Question {
    caller: Caller,
    body: Map<String, Value>,
}

impl FromRequest<App> for Question {
    type Rejection = Rejected;

    async fn from_request(request: Request, app: &App) -> Result<Self, Rejected> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let read = Open::from_request(Request::from_parts(parts, body), app).await;
        // The specification knows one status for whatever cannot be read.
        let Open(body) = read.map_err(|rejected| {
            rejected.instead_of(StatusCode::UNSUPPORTED_MEDIA_TYPE, StatusCode::BAD_REQUEST)
        })?;
        Ok(Self { caller, body })
    }
}

/// Could this person reserve a permit for this action now? (`AuthZEN`)
#[utoipa::path(post, path = "/access/v1/evaluation", tag = "access", request_body = Evaluation, responses((status = 200, body = Decision)))]
pub(super) async fn one(
    State(app): State<App>,
    Question { caller, body }: Question,
) -> Result<Json<Decision>, Rejected> {
    answer(&app, &caller, body).await.map(Json)
}

/// Several such questions at once. (`AuthZEN`)
#[utoipa::path(post, path = "/access/v1/evaluations", tag = "access", request_body = Evaluations, responses((status = 200, body = Decisions)))]
pub(super) async fn several(
    State(app): State<App>,
    Question { caller, body }: Question,
) -> Result<Response, Rejected> {
    if body.get("evaluations").is_none_or(|each| each.as_array().is_some_and(Vec::is_empty)) {
        return answer(&app, &caller, body).await.map(|decision| Json(decision).into_response());
    }
    let whole: Evaluations = parse(Value::Object(body))?;
    if whole.evaluations.len() > MOST {
        return Err(Rejected::malformed(format!("at most {MOST} evaluations are answered at once")));
    }
    let defaults: Map<String, Value> = PARTS
        .into_iter()
        .zip([whole.subject, whole.action, whole.resource, whole.context])
        .filter_map(|(part, default)| default.map(|default| (part.to_owned(), default)))
        .collect();
    let semantic = whole.options.unwrap_or_default().evaluations_semantic;
    let mut evaluations = Vec::with_capacity(whole.evaluations.len());
    for own in whole.evaluations {
        let mut question = defaults.clone();
        question.extend(own);
        let decision = match answer(&app, &caller, question).await {
            Err(rejected) if rejected.status() == StatusCode::BAD_REQUEST => unanswerable(&rejected),
            answered => answered?,
        };
        let last = match semantic {
            Semantic::ExecuteAll => false,
            Semantic::DenyOnFirstDeny => !decision.decision,
            Semantic::PermitOnFirstPermit => decision.decision,
        };
        evaluations.push(decision);
        if last {
            break;
        }
    }
    Ok(Json(Decisions { evaluations }).into_response())
}

/// Where the questions are asked. (`AuthZEN`)
#[utoipa::path(get, path = "/.well-known/authzen-configuration", tag = "access", responses((status = 200, body = Metadata)))]
pub(super) async fn metadata(State(app): State<App>, headers: HeaderMap) -> Result<Json<Metadata>, Rejected> {
    let node = address::of_node(&headers, &app.reached)?;
    Ok(Json(Metadata {
        access_evaluation_endpoint: format!("{node}/access/v1/evaluation"),
        access_evaluations_endpoint: format!("{node}/access/v1/evaluations"),
        policy_decision_point: node,
    }))
}

/// One question that makes no sense, among others.
fn unanswerable(rejected: &Rejected) -> Decision {
    let (status, message) = (rejected.status().as_u16(), rejected.detail().to_owned());
    no(Reasons { error: Some(EvaluationError { status, message }), ..Reasons::default() })
}

fn no(reasons: Reasons) -> Decision {
    Decision { decision: false, context: Some(reasons) }
}

fn parse<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Rejected> {
    serde_json::from_value(value).map_err(|error| Rejected::malformed(plainly(&error.to_string())))
}

/// Answers one question. Rejected is what is no question, and who may not ask it.
async fn answer(app: &App, caller: &Caller, question: Map<String, Value>) -> Result<Decision, Rejected> {
    // Structs could also be read from arrays; positions are no names.
    for part in PARTS {
        if question
            .get(part)
            .is_some_and(|value| !(value.is_object() || part == "context" && value.is_null()))
        {
            return Err(Rejected::malformed(format!("`{part}` must be an object")));
        }
    }
    let Evaluation { subject, action, resource, context } = parse(Value::Object(question))?;
    let person: Option<PersonId> = subject.id.parse().ok().filter(|_| subject.kind == "person");
    if person != Some(caller.in_person()?) {
        caller.sees(app, |_, _| false)?;
    }
    let Some(person) = person.filter(|person| is_known(app, *person)) else {
        return Ok(no(Reasons {
            code: Some("unknown_subject".to_owned()),
            reason: Some("nobody of this type and id holds a credential".to_owned()),
            hint: Some("subjects have the type `person` and an id of the form `per_…`".to_owned()),
            ..Reasons::default()
        }));
    };
    let context = context.unwrap_or_default();
    let asked = countersign_api::Action {
        verb: action.name,
        resource: format!("{}/{}", resource.kind, resource.id),
        environment: context.environment.clone().unwrap_or_default(),
    };
    let action = match parse_action(&asked) {
        Ok(action) => action,
        Err(rejected) => return Ok(ungoverned(&rejected)),
    };
    decide(app, person, (&asked, action, context)).await
}

/// No rule can apply to what is no action.
fn ungoverned(rejected: &Rejected) -> Decision {
    no(Reasons {
        code: Some("no_rule".to_owned()),
        reason: Some(rejected.detail().to_owned()),
        hint: Some(
            "an action is `action.name`, `resource.type/resource.id` and `context.environment`".to_owned(),
        ),
        ..Reasons::default()
    })
}

/// Whether the person holds a credential: who does not cannot act at all.
fn is_known(app: &App, person: PersonId) -> bool {
    app.engine.state().person(person).is_some_and(Person::is_active)
}

async fn decide(
    app: &App,
    person: PersonId,
    (asked, action, context): (&countersign_api::Action, Action, Circumstances),
) -> Result<Decision, Rejected> {
    let approval: Option<ApprovalId> = match context.approval.as_deref().map(str::parse).transpose() {
        Ok(approval) => approval,
        Err(error) => return Err(Rejected::malformed(format!("`context.approval`: {error}"))),
    };
    let parameters = context.parameters.unwrap_or_else(|| json!({}));
    let bound = permits::bind(app, approval, (parameters, None)).await?;
    let purpose = freezes::purpose(approval, asked, &bound.parameters);
    let (rules, environment) = (rules(app, &action), action.environment.clone());
    let command = Command::ReservePermit(permit::Reserve {
        action,
        parameters_sha256: bound.digest()?,
        approval,
        exceptions: freezes::exceptions(app, &context.exceptions, &purpose).await?,
    });
    match app.engine.evaluate(Actor::Person(person), &command).await {
        Ok(()) => Ok(Decision { decision: true, context: Some(Reasons { rules, ..Reasons::default() }) }),
        Err(EngineError::Refused(refusal)) => {
            let (topic, known) = (Topic::of(app, &command, Some(person)), app.known().await);
            let problem = explain::refused(app, &known, (&refusal, topic)).await.into_problem();
            let wanting = matches!(refusal, Refusal::Permit(permit::Refusal::ApprovalRequired(_)));
            let approval = wanting.then(|| json!({ "action": asked, "parameters": bound.parameters }));
            let request = approval.or_else(|| freezes::request(&refusal, &environment, &purpose));
            Ok(no(Reasons {
                rules,
                code: Some(problem.code),
                reason: Some(problem.detail),
                hint: Some(problem.hint),
                missing: problem.missing,
                could: problem.could,
                request,
                error: None,
            }))
        }
        Err(error) => Err(error.into()),
    }
}

/// The rules that apply to the action, by name.
fn rules(app: &App, action: &Action) -> Vec<String> {
    let state = app.engine.state();
    let requirement = state.policy().and_then(|in_force| in_force.policy.requirement(action));
    requirement.iter().flat_map(|it| &it.rules).map(ToString::to_string).collect()
}
