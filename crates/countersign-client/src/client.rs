//! The routes of the API, one method each.

use countersign_api::access::{Decision, Decisions, Evaluation, Evaluations, Metadata};
use countersign_api::approval::{Approval, Approve, ReciprocalReport, RequestApproval};
use countersign_api::break_glass::{BreakGlass, OpenBreakGlass, ReviewBreakGlass};
use countersign_api::delegation::{Delegate, Delegation, Delegations};
use countersign_api::explain::Explanation;
use countersign_api::freeze::Freezes;
use countersign_api::key::{LogKeys, RotateLogKey};
use countersign_api::ledger::{
    ConsistencyProof, Entry, EntryListing, Incident, InclusionProof, RedactDetails, Redaction,
};
use countersign_api::oauth::{ExchangeRequest, TokenResponse};
use countersign_api::permit::{FinishPermit, Permit, ReconcilePermit, ReservePermit};
use countersign_api::person::{
    ClaimCredential, DeactivatePerson, EnrollKey, InvitePerson, Person, RevokeKey, VotingKeys,
};
use countersign_api::policy::{ActivatePolicy, PolicyInForce};
use countersign_api::review::AccessReview;
use countersign_api::rotation::{Rotation, Secret, StartRotation};
use countersign_api::session::{EndSession, OpenSession, Session};
use countersign_api::terminal::{
    AnswerTerminal, RequestTerminal, Terminal, TerminalAnswer, TerminalStanding,
};
use countersign_api::token::{ExchangeToken, IssueToken, RevokeToken, ServiceToken};
use countersign_api::witness::Witnesses;
use countersign_api::{Action, Page, Reason};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::pages::{self, ListRoute};
use crate::transport::{Call, Transport};
use crate::{
    ApprovalListing, ClientError, Credential, EvidenceScope, Listing, Pages, Patience, ProofKey, Watch,
};

const APPROVALS: &[&str] = &["admin", "approvals"];
const BREAK_GLASS: &[&str] = &["admin", "break-glass"];
const DELEGATIONS: &[&str] = &["admin", "delegations"];
const INCIDENTS: &[&str] = &["admin", "incidents"];
const PEOPLE: &[&str] = &["admin", "people"];
const PERMITS: &[&str] = &["admin", "permits"];
const ROTATIONS: &[&str] = &["admin", "rotations"];
const SECRETS: &[&str] = &["admin", "secrets"];
const SERVICE_TOKENS: &[&str] = &["admin", "service-tokens"];

type Answer<T> = Result<T, ClientError>;

/// A client of one server, acting as the holder of one credential or as nobody.
///
/// Every method can fail with any [`ClientError`]. Reads, and writes that carry an idempotency key, are repeated a few times when
/// the server cannot be reached or says that it cannot answer now.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Transport,
}

impl Client {
    /// A client of the server at an `https` link, or an `http` link to this machine.
    ///
    /// # Errors
    /// `Unusable`: the link is not one that a credential may travel to.
    pub fn new(server: &str, credential: Option<&Credential>) -> Answer<Self> {
        Ok(Self { transport: Transport::new(server, credential)? })
    }

    /// The same, proving with each request that it has the key to which the token it acts with is bound, or is to be bound.
    ///
    /// # Errors
    /// `Unusable`: the link is not one that a credential may travel to.
    pub fn bound(server: &str, credential: Option<&Credential>, key: ProofKey) -> Answer<Self> {
        Ok(Self { transport: Transport::bound(server, credential, key)? })
    }

    /// The same client with another patience.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.transport.set_patience(patience);
        self
    }

    /// The server's link.
    #[must_use]
    pub fn server(&self) -> &str {
        self.transport.server().as_str()
    }
}

/// People.
impl Client {
    /// Replaces a one-time claim by a credential. Repeating it with the same credential is answered as the first time for 24 hours
    /// (ADR 0002), so a lost answer loses nothing.
    pub async fn claim(&self, claim: &str, credential: &Credential) -> Answer<Person> {
        let body = ClaimCredential { claim: claim.to_owned(), credential_sha256: credential.sha256() };
        let call = Call::post(self.transport.url(&["admin", "people", "claim"], &[]), write(&body)?)?;
        self.read(&self.transport.call(&call).await?)
    }

    /// Who the credential belongs to.
    pub async fn me(&self) -> Answer<Person> {
        self.get(&["admin", "people", "me"]).await
    }

    /// Invites somebody, or again whoever has not claimed.
    pub async fn invite(&self, invitation: &InvitePerson) -> Answer<Person> {
        self.post(PEOPLE, invitation).await
    }

    /// Ends that somebody belongs, for good.
    pub async fn deactivate(&self, person: &str, deactivation: &DeactivatePerson) -> Answer<Person> {
        self.post(&["admin", "people", person, "deactivate"], deactivation).await
    }

    /// One page of people.
    pub async fn people(&self, listing: &Listing) -> Answer<Page<Person>> {
        self.page(&listing.route(PEOPLE)).await
    }

    /// A person's voting keys, revoked ones too.
    pub async fn voting_keys(&self, person: &str) -> Answer<VotingKeys> {
        self.get(&["admin", "people", person, "keys"]).await
    }

    /// Gives a person a voting key, under an approval of exactly this key.
    pub async fn enroll_key(&self, person: &str, key: &EnrollKey) -> Answer<VotingKeys> {
        self.post(&["admin", "people", person, "keys"], key).await
    }

    /// Takes a voting key out of force: one's own, or under an approval.
    pub async fn revoke_key(&self, person: &str, key: &RevokeKey) -> Answer<VotingKeys> {
        self.post(&["admin", "people", person, "keys", "revoke"], key).await
    }

    /// All pages of people.
    #[must_use]
    pub fn all_people(&self, listing: &Listing) -> Pages<'_, Person> {
        Pages::new(self, listing.route(PEOPLE))
    }
}

/// Sessions.
impl Client {
    /// One's own sessions, newest first.
    pub async fn sessions(&self) -> Answer<Page<Session>> {
        self.get(&["admin", "sessions"]).await
    }

    /// Opens a session with the credential of this client: what was drawn stays here, its SHA-256 is sent.
    pub async fn open_session(&self, session: &Credential) -> Answer<Session> {
        self.post(&["admin", "sessions"], &OpenSession { session_sha256: session.sha256() }).await
    }

    /// Ends a session: one's own, or under an approval.
    pub async fn end_session(&self, id: &str, end: &EndSession) -> Answer<Session> {
        self.post(&["admin", "sessions", id, "end"], end).await
    }

    /// Asks that this terminal be let in. Repeating it is answered as the first time.
    pub async fn request_terminal(&self, request: &RequestTerminal) -> Answer<Terminal> {
        self.post(&["admin", "terminals"], request).await
    }

    /// How it stands with a terminal that asked, by the SHA-256 of its session.
    pub async fn terminal_standing(&self, session_sha256: &str) -> Answer<TerminalStanding> {
        self.get(&["admin", "terminals", "sessions", session_sha256]).await
    }

    /// The terminal that waits under a code.
    pub async fn terminal(&self, code: &str) -> Answer<Terminal> {
        self.get(&["admin", "terminals", code]).await
    }

    /// Lets the terminal act as oneself, or turns it away.
    pub async fn answer_terminal(&self, code: &str, answer: TerminalAnswer) -> Answer<TerminalStanding> {
        self.post(&["admin", "terminals", code, "answer"], &AnswerTerminal { answer }).await
    }
}

/// Service tokens.
impl Client {
    /// One page of tokens.
    pub async fn service_tokens(&self, listing: &Listing) -> Answer<Page<ServiceToken>> {
        self.page(&listing.route(SERVICE_TOKENS)).await
    }

    /// One token.
    pub async fn service_token(&self, id: &str) -> Answer<ServiceToken> {
        self.get(&["admin", "service-tokens", id]).await
    }

    /// Issues a token to oneself: what was drawn stays here, its SHA-256 is sent.
    pub async fn issue_token(&self, issue: &IssueToken) -> Answer<ServiceToken> {
        self.post(SERVICE_TOKENS, issue).await
    }

    /// Exchanges the token that this client acts with for a narrower one.
    pub async fn exchange_token(&self, exchange: &ExchangeToken) -> Answer<ServiceToken> {
        self.post(&["admin", "service-tokens", "exchange"], exchange).await
    }

    /// Exchanges the token of a workload, or a service token, for a service token, which the server draws and tells once. It is not repeated after
    /// a lost answer: what was exchanged is spent.
    pub async fn exchange(&self, exchange: &ExchangeRequest) -> Answer<TokenResponse> {
        let lifetime = exchange.lifetime_seconds.map(|seconds| seconds.to_string());
        let parameters = [
            ("grant_type", Some(&exchange.grant_type)),
            ("subject_token", Some(&exchange.subject_token)),
            ("subject_token_type", Some(&exchange.subject_token_type)),
            ("scope", exchange.scope.as_ref()),
            ("audience", exchange.audience.as_ref()),
            ("requested_token_type", exchange.requested_token_type.as_ref()),
            ("lifetime_seconds", lifetime.as_ref()),
        ];
        let given = parameters.into_iter().filter_map(|(name, value)| Some((name, value?.as_str())));
        let call = Call::form(self.transport.url(&["oauth", "token"], &[]), given);
        self.read(&self.transport.call(&call).await?)
    }

    /// Takes a token out of force, and all that were exchanged from it.
    pub async fn revoke_token(&self, id: &str, revoke: &RevokeToken) -> Answer<ServiceToken> {
        self.post(&["admin", "service-tokens", id, "revoke"], revoke).await
    }
}

/// The policy in force.
impl Client {
    /// The policy in force.
    pub async fn policy(&self) -> Answer<PolicyInForce> {
        self.get(&["admin", "policy"]).await
    }

    /// What the policy in force demands of an action, and what stands in the way of a person, oneself if none is named.
    pub async fn explain(&self, action: &Action, person: Option<&str>) -> Answer<Explanation> {
        let Action { verb, resource, environment } = action.clone();
        let mut query = vec![("verb", verb), ("resource", resource), ("environment", environment)];
        query.extend(person.map(|person| ("person", person.to_owned())));
        self.query(&["admin", "explain"], &query).await
    }

    /// Who may do what under the policy in force, who did in the last days, and what is stale.
    pub async fn access_review(&self, days: Option<u32>, environment: Option<&str>) -> Answer<AccessReview> {
        let mut query: Vec<_> = days.map(|days| ("days", days.to_string())).into_iter().collect();
        query.extend(environment.map(|environment| ("environment", environment.to_owned())));
        self.query(&["admin", "access-review"], &query).await
    }

    /// The freezes of the policy in force: which hold at a time, or now, and when they come next.
    pub async fn freezes(&self, at: Option<&str>) -> Answer<Freezes> {
        let query: Vec<_> = at.map(|at| ("at", at.to_owned())).into_iter().collect();
        self.query(&["admin", "freezes"], &query).await
    }

    /// Puts another policy in force, under an approval of its digest.
    pub async fn activate_policy(&self, activation: &ActivatePolicy) -> Answer<PolicyInForce> {
        self.post(&["admin", "policy"], activation).await
    }
}

/// Approvals.
impl Client {
    /// Asks for approval of one action with one set of parameters.
    pub async fn request_approval(&self, request: &RequestApproval) -> Answer<Approval> {
        self.post(APPROVALS, request).await
    }

    /// One page of requests, newest first.
    pub async fn approvals(&self, listing: &Listing) -> Answer<Page<Approval>> {
        self.page(&listing.route(APPROVALS)).await
    }

    /// One page of those requests that somebody has to do with, newest first.
    pub async fn approvals_of(&self, listing: &ApprovalListing) -> Answer<Page<Approval>> {
        self.page(&listing.route(APPROVALS)).await
    }

    /// Who agreed to each other's requests.
    pub async fn reciprocal_approvals(&self) -> Answer<ReciprocalReport> {
        self.get(&["admin", "approvals", "reciprocal"]).await
    }

    /// What happens to a request, as it happens.
    #[must_use]
    pub fn watch_approval(&self, id: &str) -> Watch<'_> {
        Watch::new(self, id)
    }

    pub(crate) async fn open_watch(&self, id: &str, last: Option<u64>) -> Answer<reqwest::Response> {
        let url = self.transport.url(&["admin", "approvals", id, "watch"], &[]);
        self.transport.open(url, last).await
    }

    pub(crate) fn odd(&self, what: String) -> ClientError {
        self.transport.unexpected(None, what)
    }

    pub(crate) fn cut_off(&self, cause: Box<dyn std::error::Error + Send + Sync>) -> ClientError {
        ClientError::Unreachable { server: self.server().to_owned(), cause }
    }

    /// All pages of requests, newest first.
    #[must_use]
    pub fn all_approvals(&self, listing: &Listing) -> Pages<'_, Approval> {
        Pages::new(self, listing.route(APPROVALS))
    }

    /// One request, with its parameters.
    pub async fn approval(&self, id: &str) -> Answer<Approval> {
        self.get(&["admin", "approvals", id]).await
    }

    /// What voters on a request sign, byte by byte. Unverified: read it with `countersign_ledger::statement`.
    pub async fn statement(&self, id: &str) -> Answer<Vec<u8>> {
        let url = self.transport.url(&["admin", "approvals", id, "statement"], &[]);
        self.transport.call(&Call::get(url)).await
    }

    /// Agrees.
    pub async fn approve(&self, id: &str, reason: &Reason) -> Answer<Approval> {
        self.post(&["admin", "approvals", id, "approve"], reason).await
    }

    /// Agrees, saying in whose place, or with a signature.
    pub async fn vote(&self, id: &str, vote: &Approve) -> Answer<Approval> {
        self.post(&["admin", "approvals", id, "approve"], vote).await
    }

    /// Takes one's own vote back.
    pub async fn revoke_vote(&self, id: &str, reason: &Reason) -> Answer<Approval> {
        self.post(&["admin", "approvals", id, "revoke"], reason).await
    }

    /// Lets somebody else agree in one's place for a while.
    pub async fn delegate(&self, delegate: &Delegate) -> Answer<Delegation> {
        self.post(DELEGATIONS, delegate).await
    }

    /// Ends one's own delegation before its time.
    pub async fn end_delegation(&self, reason: &Reason) -> Answer<Delegations> {
        self.post(&["admin", "delegations", "end"], reason).await
    }

    /// Delegations that have not ended.
    pub async fn delegations(&self) -> Answer<Delegations> {
        self.get(DELEGATIONS).await
    }

    /// Disagrees, finally.
    pub async fn deny(&self, id: &str, reason: &Reason) -> Answer<Approval> {
        self.post(&["admin", "approvals", id, "deny"], reason).await
    }

    /// Takes one's own request back.
    pub async fn withdraw(&self, id: &str, reason: &Reason) -> Answer<Approval> {
        self.post(&["admin", "approvals", id, "withdraw"], reason).await
    }
}

/// Permits.
impl Client {
    /// Gets leave to execute one action now.
    pub async fn reserve_permit(&self, permit: &ReservePermit) -> Answer<Permit> {
        self.post(PERMITS, permit).await
    }

    /// One page of permits, newest first.
    pub async fn permits(&self, listing: &Listing) -> Answer<Page<Permit>> {
        self.page(&listing.route(PERMITS)).await
    }

    /// One page of permits that are unknown and of which nobody has said what became of them, newest first.
    pub async fn unreconciled_permits(&self, listing: &Listing) -> Answer<Page<Permit>> {
        let mut route = listing.route(PERMITS);
        route.query.push(("unreconciled", "true".to_owned()));
        self.page(&route).await
    }

    /// All pages of permits, newest first.
    #[must_use]
    pub fn all_permits(&self, listing: &Listing) -> Pages<'_, Permit> {
        Pages::new(self, listing.route(PERMITS))
    }

    /// One permit.
    pub async fn permit(&self, id: &str) -> Answer<Permit> {
        self.get(&["admin", "permits", id]).await
    }

    /// The document of a permit: the bytes of its envelope. Unverified: the guard checks it.
    pub async fn permit_document(&self, id: &str) -> Answer<Vec<u8>> {
        let url = self.transport.url(&["admin", "permits", id, "document"], &[]);
        self.transport.call(&Call::get(url)).await
    }

    /// Begins the work.
    pub async fn start_permit(&self, id: &str, reason: &Reason) -> Answer<Permit> {
        self.post(&["admin", "permits", id, "start"], reason).await
    }

    /// Gives back a permit that was not started.
    pub async fn release_permit(&self, id: &str, reason: &Reason) -> Answer<Permit> {
        self.post(&["admin", "permits", id, "release"], reason).await
    }

    /// Says how the work ended.
    pub async fn finish_permit(&self, id: &str, finish: &FinishPermit) -> Answer<Permit> {
        self.post(&["admin", "permits", id, "finish"], finish).await
    }
}

/// Permits that take long, or of whose end nobody knows.
impl Client {
    /// Says that the work goes on, where the rules ask for signs of life.
    pub async fn keep_permit_alive(&self, id: &str, reason: &Reason) -> Answer<Permit> {
        self.post(&["admin", "permits", id, "heartbeat"], reason).await
    }

    /// Says what became of the work of somebody else's permit that is unknown.
    pub async fn reconcile_permit(&self, id: &str, reconciliation: &ReconcilePermit) -> Answer<Permit> {
        self.post(&["admin", "permits", id, "reconcile"], reconciliation).await
    }
}

/// Breaking the glass.
impl Client {
    /// Acts without anybody's consent, under a signature of one's own.
    pub async fn break_glass(&self, open: &OpenBreakGlass) -> Answer<BreakGlass> {
        self.post(BREAK_GLASS, open).await
    }

    /// One page of what was done so, newest first.
    pub async fn broken_glass(&self, listing: &Listing) -> Answer<Page<BreakGlass>> {
        self.page(&listing.route(BREAK_GLASS)).await
    }

    /// All pages of what was done so, newest first.
    #[must_use]
    pub fn all_broken_glass(&self, listing: &Listing) -> Pages<'_, BreakGlass> {
        Pages::new(self, listing.route(BREAK_GLASS))
    }

    /// One breaking of the glass, with its parameters and its reason.
    pub async fn one_broken_glass(&self, id: &str) -> Answer<BreakGlass> {
        self.get(&["admin", "break-glass", id]).await
    }

    /// Says whether it was right.
    pub async fn review_break_glass(&self, id: &str, review: &ReviewBreakGlass) -> Answer<BreakGlass> {
        self.post(&["admin", "break-glass", id, "review"], review).await
    }
}

/// Rotations and the secrets they replace.
impl Client {
    /// Begins a rotation under a reserved permit.
    pub async fn start_rotation(&self, permit: &str) -> Answer<Rotation> {
        self.post(ROTATIONS, &StartRotation { permit: permit.to_owned() }).await
    }

    /// One page of rotations, newest first.
    pub async fn rotations(&self, listing: &Listing) -> Answer<Page<Rotation>> {
        self.page(&listing.route(ROTATIONS)).await
    }

    /// All pages of rotations, newest first.
    #[must_use]
    pub fn all_rotations(&self, listing: &Listing) -> Pages<'_, Rotation> {
        Pages::new(self, listing.route(ROTATIONS))
    }

    /// One rotation: its secret rotation runbook.
    pub async fn rotation(&self, id: &str) -> Answer<Rotation> {
        self.get(&["admin", "rotations", id]).await
    }

    /// Stops a rotation and restores what was before.
    pub async fn abort_rotation(&self, id: &str, reason: &Reason) -> Answer<Rotation> {
        self.post(&["admin", "rotations", id, "abort"], reason).await
    }

    /// One page of governed secrets: versions, never values.
    pub async fn secrets(&self, listing: &Listing) -> Answer<Page<Secret>> {
        self.page(&listing.route(SECRETS)).await
    }

    /// All pages of governed secrets.
    #[must_use]
    pub fn all_secrets(&self, listing: &Listing) -> Pages<'_, Secret> {
        Pages::new(self, listing.route(SECRETS))
    }
}

/// The ledger and incidents.
impl Client {
    /// One page of entries that fit, in the order asked for.
    pub async fn entries(&self, listing: &EntryListing) -> Answer<Page<Entry>> {
        self.page(&pages::entries(listing)).await
    }

    /// All pages of entries that fit, in the order asked for.
    #[must_use]
    pub fn all_entries(&self, listing: &EntryListing) -> Pages<'_, Entry> {
        Pages::new(self, pages::entries(listing))
    }

    /// One entry.
    pub async fn entry(&self, index: u64) -> Answer<Entry> {
        self.get(&["admin", "entries", &index.to_string()]).await
    }

    /// Deletes the details of some entries for good, under an approval of exactly those.
    pub async fn redact_details(&self, redaction: &RedactDetails) -> Answer<Redaction> {
        self.post(&["admin", "redactions"], redaction).await
    }

    /// One page of incidents, newest first.
    pub async fn incidents(&self, listing: &Listing) -> Answer<Page<Incident>> {
        self.page(&listing.route(INCIDENTS)).await
    }

    /// All pages of incidents, newest first.
    #[must_use]
    pub fn all_incidents(&self, listing: &Listing) -> Pages<'_, Incident> {
        Pages::new(self, listing.route(INCIDENTS))
    }

    /// An evidence bundle, the file as the server made it. Unverified.
    pub async fn evidence(&self, scope: &EvidenceScope) -> Answer<Vec<u8>> {
        let url = self.transport.url(&["admin", "evidence"], &scope.query());
        self.transport.call(&Call::get(url)).await
    }

    /// The last signed checkpoint, a C2SP signed note. Unverified: open it with the key you trust.
    pub async fn checkpoint(&self) -> Answer<String> {
        self.text(&["ledger", "checkpoint"]).await
    }

    /// The latest checkpoint that enough witnesses have cosigned: a signed note. Unverified.
    pub async fn witnessed_checkpoint(&self) -> Answer<String> {
        self.text(&["ledger", "checkpoint", "witnessed"]).await
    }

    /// How the log's witnesses fare.
    pub async fn witnesses(&self) -> Answer<Witnesses> {
        self.get(&["admin", "witnesses"]).await
    }

    /// Every key the log ever had. Unverified: follow the leaves with `countersign_ledger::keys` from the key you trust.
    pub async fn log_keys(&self) -> Answer<LogKeys> {
        self.get(&["ledger", "keys"]).await
    }

    /// Puts the node's next key in force for the log, under an approval of exactly that key.
    pub async fn rotate_log_key(&self, rotation: &RotateLogKey) -> Answer<LogKeys> {
        self.post(&["admin", "log", "keys"], rotation).await
    }

    /// That an entry is in the tree of a size. Unverified.
    pub async fn inclusion(&self, index: u64, size: u64) -> Answer<InclusionProof> {
        self.query(&["ledger", "inclusion"], &[("index", index.to_string()), ("size", size.to_string())])
            .await
    }

    /// That a tree is the beginning of a later one. Unverified.
    pub async fn consistency(&self, old: u64, new: u64) -> Answer<ConsistencyProof> {
        self.query(&["ledger", "consistency"], &[("old", old.to_string()), ("new", new.to_string())]).await
    }
}

/// Questions (`OpenID` `AuthZEN`): nothing changes, whatever the answer.
impl Client {
    /// Whether somebody could do something now.
    pub async fn evaluate(&self, evaluation: &Evaluation) -> Answer<Decision> {
        self.post(&["access", "v1", "evaluation"], evaluation).await
    }

    /// Several such questions at once; at least one.
    pub async fn evaluate_several(&self, evaluations: &Evaluations) -> Answer<Decisions> {
        self.post(&["access", "v1", "evaluations"], evaluations).await
    }

    /// Where questions are asked, for programs that know only `AuthZEN`.
    pub async fn access_metadata(&self) -> Answer<Metadata> {
        self.get(&[".well-known", "authzen-configuration"]).await
    }
}

/// Health and the contract.
impl Client {
    /// The process answers.
    pub async fn alive(&self) -> Answer<()> {
        self.text(&["healthz"]).await.map(drop)
    }

    /// The node can decide.
    pub async fn ready(&self) -> Answer<()> {
        self.text(&["readyz"]).await.map(drop)
    }

    /// What the node counts, as Prometheus text.
    pub async fn metrics(&self) -> Answer<String> {
        self.text(&["metrics"]).await
    }

    /// The contract as `OpenAPI` 3.1.
    pub async fn contract(&self) -> Answer<serde_json::Value> {
        self.get(&["openapi.json"]).await
    }
}

impl Client {
    pub(crate) async fn page<T: DeserializeOwned>(&self, route: &ListRoute) -> Answer<Page<T>> {
        self.query(route.path, &route.query).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Answer<T> {
        self.query(path, &[]).await
    }

    async fn query<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, String)]) -> Answer<T> {
        let call = Call::get(self.transport.url(path, query));
        self.read(&self.transport.call(&call).await?)
    }

    async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &[&str], body: &B) -> Answer<T> {
        let call = Call::post(self.transport.url(path, &[]), write(body)?)?;
        self.read(&self.transport.call(&call).await?)
    }

    async fn text(&self, path: &[&str]) -> Answer<String> {
        let body = self.transport.call(&Call::get(self.transport.url(path, &[]))).await?;
        String::from_utf8(body).map_err(|_| self.transport.unexpected(None, "text that is not UTF-8".into()))
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Answer<T> {
        serde_json::from_slice(body).map_err(|error| {
            let what = format!("something this version does not understand: {error}");
            self.transport.unexpected(None, what)
        })
    }
}

fn write<B: Serialize>(body: &B) -> Answer<Vec<u8>> {
    serde_json::to_vec(body)
        .map_err(|error| ClientError::Unusable(format!("the request has no JSON form: {error}")))
}
