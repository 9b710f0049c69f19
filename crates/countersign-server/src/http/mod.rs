//! The HTTP API: a thin skin over the engine. No handler changes state except by a command, and GET never changes anything.
//!
//! # Layout
//! - `envelope` `request_id`: what every answer gets: request id, headers, counts, problem bodies
//! - `hygiene`: what every answer tells a browser
//! - `site`: the pages as browsers know them
//! - `gate`: what every request passes: credential, right to read, idempotency key
//! - `dashboard`: pages for people
//! - `body` `address`: bodies, paths and queries, read strictly
//! - `failures`: what did not sign in, counted in both ways
//! - `attempts`: wrong claims, and who has to wait for having sent them
//! - `guesses`: passwords that are tried
//! - `waits`: how long the next one has to wait, for both
//! - `problem`: RFC 9457 answers and the one table from refusals to statuses
//! - `contract`: the `OpenAPI` document
//! - `meter`: what is counted
//! - `documents`: permits as documents that are checked without asking anybody
//! - `explain`: which rules refuse a permit, and who could have it instead
//! - `uses`: that sessions are used, noted now and then
//! - `possession` `nonces`: tokens that are bound to a key
//! - `oauth`: tokens exchanged in the words of OAuth
//! - `names` `lists` `parameters` `shelf`: people's names, pages, salted parameters, full tiles
//! - `random`: random bytes
//! - `terminals`: terminals that ask to act for somebody
//! - `access` `review` `approvals` (with `inbox`, `reciprocal`) `statements` `voting_keys` `watch` `delegations` `permits` `break_glass` `rotations` `people` `membership` `sessions` `policy` `freezes` `entries` `redactions` `ledger` `keys` `tiles` `proofs` `witnesses` `evidence`
//!   `health`: one capability each

use std::ops::Deref;
use std::sync::Arc;

use axum::{Router, middleware};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;
use utoipa::OpenApi as _;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::config::ProofNonce;
use crate::engine::{Committed, Engine, EngineError, Submission};
use crate::issuers::{Issuers, Providers};
use crate::reached::{Listening, Reached};
use crate::search::Search;
use crate::sign_in::verifiers::Verifiers;
use crate::witnessing::Board;
use envelope::{Envelope, Telling};
use explain::Topic;
use hygiene::Hygiene;
use meter::Counts;
use names::Known;
use problem::Rejected;

mod access;
mod address;
mod approvals;
mod attempts;
mod body;
mod break_glass;
mod contract;
mod dashboard;
mod delegations;
mod documents;
mod entries;
mod envelope;
mod evidence;
mod explain;
mod failures;
mod freezes;
mod gate;
mod guesses;
mod health;
mod hygiene;
mod inbox;
mod keys;
mod ledger;
mod lists;
mod membership;
mod meter;
mod names;
mod nonces;
mod oauth;
mod parameters;
mod passkeys;
mod people;
mod permits;
mod policy;
mod possession;
mod problem;
mod proofs;
mod random;
mod reciprocal;
mod redactions;
mod request_id;
mod review;
mod rotations;
mod sessions;
mod shelf;
mod site;
mod statements;
mod terminals;
mod tiles;
mod tokens;
mod uses;
mod voting_keys;
mod waits;
mod watch;
mod witnesses;

pub use body::MAX_BODY;
pub use contract::contract;
pub use meter::recorder;
pub use site::Site;

/// What handlers share. It is cloned several times for each request, by whatever hands it on, so it is one count that goes up and down, and not one
/// for each part.
#[derive(Clone)]
struct App(Arc<Parts>);

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The parts of it.
struct Parts {
    engine: Engine,
    search: Search,
    names: Arc<names::Names>,
    /// Sessions whose use is about to be written down.
    uses: uses::Uses,
    /// Wrong claims, so that there are not too many.
    attempts: Arc<attempts::Attempts>,
    /// Terminals that wait to be let in.
    terminals: terminals::Terminals,
    /// What was shown to sign in and was wrong.
    sign_ins: Arc<attempts::Attempts>,
    /// Passwords that are tried.
    guesses: Arc<guesses::Guesses>,
    /// Checks them; without it nobody signs in by one.
    verifiers: Option<Arc<Verifiers>>,
    /// Where the pages are.
    site: Option<Arc<Site>>,
    metrics: PrometheusHandle,
    witnesses: Arc<Board>,
    /// Proofs of possession that were used.
    proofs: Arc<possession::Proofs>,
    /// What such proofs name.
    nonces: Arc<nonces::Nonces>,
    /// Where the node is reached.
    reached: Arc<Reached>,
    /// Whose tokens are believed, though they are not ours.
    issuers: Arc<Issuers>,
    /// At which providers people sign in.
    providers: Arc<Providers>,
    shelf: Arc<shelf::Shelf>,
    /// Bounds how many evidence bundles are made at once.
    exports: Arc<Semaphore>,
    /// Bounds how many watch at once.
    watchers: Arc<Semaphore>,
    /// Tells watchers that the node stops.
    stopping: Option<tokio::sync::watch::Receiver<()>>,
}

impl App {
    /// Where the pages are; only pages ask.
    fn site(&self) -> Result<&Site, Rejected> {
        let none = || Rejected::unavailable("this node has no pages: it has no `public_url`".to_owned());
        self.site.as_deref().ok_or_else(none)
    }

    /// The names of people, for an answer.
    async fn known(&self) -> Arc<Known> {
        self.names.all(&self.engine).await
    }

    /// Hands a command in; a refusal has its reasons and speaks of people by name.
    async fn submit(&self, submission: Submission) -> Result<(Committed, Arc<Known>), Rejected> {
        let topic = Topic::of(self, &submission.command, self.engine.state().principal(submission.actor));
        let result = self.engine.submit(submission).await;
        let known = self.known().await;
        match result {
            Ok(committed) => Ok((committed, known)),
            Err(EngineError::Refused(refusal)) => {
                Err(explain::refused(self, &known, (&refusal, topic)).await)
            }
            Err(error) => Err(Rejected::failed(error, &known)),
        }
    }
}

/// The routes about people, their sessions and their tokens.
fn who_acts() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(people::claim))
        .routes(routes!(people::list, membership::invite))
        .routes(routes!(people::me))
        .routes(routes!(membership::deactivate))
        .routes(routes!(voting_keys::keys, voting_keys::enroll_key))
        .routes(routes!(voting_keys::revoke_key))
        .routes(routes!(sessions::list, sessions::open))
        .routes(routes!(sessions::end))
        .routes(routes!(terminals::ask))
        .routes(routes!(terminals::standing))
        .routes(routes!(terminals::look))
        .routes(routes!(terminals::answer))
        .routes(routes!(tokens::list, tokens::issue))
        .routes(routes!(tokens::exchange))
        .routes(routes!(tokens::show_one))
        .routes(routes!(tokens::revoke))
        .routes(routes!(oauth::token))
        .routes(routes!(oauth::metadata))
}

/// Every route, and the contract they make up.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(contract::Contract::openapi())
        .merge(who_acts())
        .routes(routes!(policy::show, policy::activate))
        .routes(routes!(explain::action))
        .routes(routes!(freezes::list))
        .routes(routes!(approvals::list, approvals::request))
        .routes(routes!(approvals::show))
        .routes(routes!(reciprocal::report))
        .routes(routes!(watch::one))
        .routes(routes!(watch::all))
        .routes(routes!(statements::statement))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::deny))
        .routes(routes!(approvals::revoke))
        .routes(routes!(approvals::withdraw))
        .routes(routes!(delegations::list, delegations::delegate))
        .routes(routes!(delegations::end))
        .routes(routes!(permits::list, permits::reserve))
        .routes(routes!(permits::show))
        .routes(routes!(documents::show_document))
        .routes(routes!(permits::start))
        .routes(routes!(permits::release))
        .routes(routes!(permits::finish))
        .routes(routes!(access::one))
        .routes(routes!(access::several))
        .routes(routes!(access::metadata))
        .routes(routes!(review::show))
        .routes(routes!(permits::heartbeat))
        .routes(routes!(permits::reconcile))
        .routes(routes!(break_glass::list, break_glass::open))
        .routes(routes!(break_glass::show))
        .routes(routes!(break_glass::review))
        .routes(routes!(rotations::list, rotations::start))
        .routes(routes!(rotations::show))
        .routes(routes!(rotations::abort))
        .routes(routes!(rotations::secrets))
        .routes(routes!(ledger::incidents))
        .routes(routes!(entries::list))
        .routes(routes!(entries::show_one))
        .routes(routes!(evidence::export))
        .routes(routes!(redactions::redact))
        .routes(routes!(ledger::checkpoint))
        .routes(routes!(witnesses::checkpoint))
        .routes(routes!(witnesses::list))
        .routes(routes!(proofs::file))
        .routes(routes!(tiles::hashes))
        .routes(routes!(tiles::bundle).layer(tiles::compressed()))
        .routes(routes!(ledger::inclusion))
        .routes(routes!(ledger::consistency))
        .routes(routes!(keys::show))
        .routes(routes!(keys::rotate))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(contract::show))
}

/// What the API knows of beside the engine.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// What is known of the log's witnesses.
    pub witnesses: Arc<Board>,
    /// Whose tokens are believed, though they are not ours.
    pub issuers: Arc<Issuers>,
    /// At which providers people sign in.
    pub providers: Arc<Providers>,
    /// Closed when the node stops, so that watchers are sent away.
    pub stopping: Option<tokio::sync::watch::Receiver<()>>,
    /// Checks passwords; without it nobody signs in by one.
    pub verifiers: Option<Arc<Verifiers>>,
    /// Where the pages are; without it there are none.
    pub site: Option<Arc<Site>>,
    /// Where it listens, if it does.
    pub listening: Option<Listening>,
    /// Whether proofs of possession name a nonce of this node's.
    pub proof_nonce: ProofNonce,
}

/// The whole API over an engine without witnesses.
pub fn router(over: (Engine, Search), metrics: PrometheusHandle) -> Router {
    router_with(over, metrics, Outside::default())
}

/// The whole API over an engine and what is known of its witnesses.
pub fn router_with(
    (engine, search): (Engine, Search),
    metrics: PrometheusHandle,
    Outside { witnesses, issuers, providers, stopping, verifiers, site, listening, proof_nonce }: Outside,
) -> Router {
    let nonces = Arc::new(nonces::Nonces::draw(proof_nonce));
    let reached = Arc::new(Reached::new(site.as_deref().map(Site::url), listening));
    let app = App(Arc::new(Parts {
        engine: engine.clone(),
        search,
        names: Arc::default(),
        uses: uses::Uses::default(),
        attempts: Arc::default(),
        terminals: terminals::Terminals::default(),
        sign_ins: Arc::default(),
        guesses: Arc::default(),
        verifiers,
        site: site.clone(),
        metrics,
        witnesses,
        issuers,
        providers,
        proofs: Arc::default(),
        nonces: Arc::clone(&nonces),
        reached,
        shelf: Arc::default(),
        exports: evidence::places(),
        watchers: watch::places(),
        stopping,
    }));
    let strict = site.as_ref().is_some_and(|site| site.is_strict());
    let hygiene = if strict { Hygiene::Strict } else { Hygiene::Lenient };
    let wrapped = |router: Router<App>, telling| {
        let (engine, nonces) = (engine.clone(), Arc::clone(&nonces));
        let counts = Counts::default();
        let envelope = Arc::new(Envelope { hygiene, telling, engine, nonces, counts });
        router.layer(middleware::from_fn_with_state(envelope, envelope::wrap))
    };
    let (api, _) = routes().split_for_parts();
    let api = wrapped(api, Telling::Json);
    let router = match site {
        Some(_) => api.merge(wrapped(dashboard::routes(), Telling::Pages)),
        None => api,
    };
    router.with_state(app)
}
