//! The HTTP contract as `OpenAPI` 3.1: what the handlers say of themselves, and what holds for all of them.
//!
//! It describes, it enforces nothing; the route coverage test holds every route to it.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use countersign_api::problem::Problem;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, Content, Ref, RefOr, Required, Response};

/// Routes that need no credential. `claim` carries its own, the log is public by choice, the rest is for machines.
const PUBLIC: [&str; 16] = [
    "/.well-known/authzen-configuration",
    "/.well-known/oauth-authorization-server",
    "/admin/people/claim",
    "/healthz",
    "/ledger/checkpoint",
    "/ledger/checkpoint/witnessed",
    "/ledger/consistency",
    "/ledger/inclusion",
    "/ledger/keys",
    "/ledger/proof/{index}",
    "/ledger/tile/entries/{index}",
    "/ledger/tile/{level}/{index}",
    "/metrics",
    "/oauth/token",
    "/openapi.json",
    "/readyz",
];

const SCHEME: &str = "credential";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Countersign",
        description = "Governs the high-risk operations of a payment platform. Bodies are strict JSON: no duplicate keys, no floats, \
                       integers within ±(2^53-1), no unknown fields. Every refusal is an RFC 9457 problem with a stable `code`.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    components(schemas(Problem)),
    tags(
        (name = "approvals", description = "Requests for approval and the votes on them."),
        (name = "delegations", description = "Who may agree in whose place."),
        (name = "permits", description = "Single-use leave to execute one action now."),
        (name = "access", description = "Whether somebody could do something now (`OpenID` `AuthZEN` 1.0). Unknown fields are ignored here."),
        (name = "break-glass", description = "Acting without anybody's consent, and the debts that leaves."),
        (name = "rotations", description = "Rotations of governed secrets and the secrets' versions."),
        (name = "people", description = "People and their credentials."),
        (name = "sessions", description = "Who is signed in, for how long, and how that ends."),
        (name = "service-tokens", description = "Short-lived credentials of automation, for some actions in one environment."),
        (name = "policy", description = "The policy in force."),
        (name = "incidents", description = "What went wrong and needs a person."),
        (name = "ledger", description = "Entries for readers; checkpoint and proofs for everybody."),
        (name = "health", description = "For machines that watch the node."),
    )
)]
pub(super) struct Contract;

static JSON: LazyLock<String> = LazyLock::new(|| contract().to_pretty_json().unwrap_or_default());

/// The contract as `OpenAPI` 3.1.
#[must_use]
pub fn contract() -> utoipa::openapi::OpenApi {
    let mut contract = super::routes().split_for_parts().1;
    // The router marks a parameter that spans several segments; `OpenAPI` cannot say so.
    let paths = std::mem::take(&mut contract.paths.paths);
    contract.paths.paths = paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    contract.components.get_or_insert_with(Components::new).add_security_scheme(SCHEME, scheme);
    for (path, item) in &mut contract.paths.paths {
        let public = PUBLIC.contains(&path.as_str());
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            name(operation);
            describe(operation);
            // There errors are told in OAuth's words.
            if path != "/oauth/token" {
                tell_problems(operation);
            }
            operation.security = Some(if public { Vec::new() } else { vec![credential()] });
        }
        // What only asks may be asked as often as one likes.
        let asks = path.starts_with("/access/");
        if let Some(operation) = item.post.as_mut().filter(|_| !public && !asks) {
            operation.parameters.get_or_insert_default().push(idempotency_key().into());
        }
    }
    contract
}

fn credential() -> SecurityRequirement {
    SecurityRequirement::new(SCHEME, Vec::<String>::new())
}

/// Handlers of several capabilities share a name, operations may not.
fn name(operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next();
    operation.operation_id = tag.zip(operation.operation_id.as_ref()).map(|(tag, id)| format!("{tag}_{id}"));
}

/// `OpenAPI` demands a description of every answer; of most there is nothing to say that its schema does not.
fn describe(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = "As asked.".to_owned();
        }
    }
}

/// Whatever goes wrong is told in one form.
fn tell_problems(operation: &mut Operation) {
    for (statuses, whose) in [("4XX", "The request is at fault."), ("5XX", "The node is at fault.")] {
        let problem = Response::builder()
            .description(whose)
            .content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem"))));
        operation.responses.responses.insert(statuses.to_owned(), problem.build().into());
    }
}

fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some(
            "1 to 255 visible ASCII characters, fresh per request and the same for a repetition, which is answered from what the first \
             one did. Kept 24 hours; another body under the same key answers 422.",
        ))
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

/// This contract.
#[utoipa::path(get, path = "/openapi.json", tag = "health", responses((status = 200, body = serde_json::Value)))]
pub(super) async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], JSON.as_str())
}
