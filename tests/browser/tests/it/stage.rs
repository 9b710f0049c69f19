//! A node that serves on this machine, with Ana who asks on the command line, and Ben and Chloe who decide in a browser.

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_api::Action;
use countersign_api::approval::RequestApproval;
use countersign_browser::Tab;
use countersign_client::{Client, Credential};
use countersign_core::id::PersonId;
use countersign_server::config::{NodeConfig, ProofNonce, Witnesses};
use countersign_server::genesis::NewPerson;
use countersign_server::node::{Beginning, Node, NodeError, initialise};
use countersign_server::secrets::SecretRef;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::provider::{PROVIDER, Provider};

const PEOPLE: [(u128, &str); 3] = [(1, "Ana"), (2, "Ben"), (3, "Chloe")];

pub(crate) struct Stage {
    /// `http://localhost:PORT`
    pub(crate) site: String,
    /// The same server by another name: another site.
    pub(crate) elsewhere: String,
    /// Ana, with her credential.
    pub(crate) ana: Client,
    claims: BTreeMap<String, String>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), NodeError>>,
    folder: tempfile::TempDir,
}

fn key(folder: &Path, name: &str, seed: u8) -> SecretRef {
    let path = folder.join(name);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&path).expect("a file");
    std::io::Write::write_all(&mut file, STANDARD.encode([seed; 32]).as_bytes()).expect("written");
    SecretRef::File(path)
}

fn rule(name: &str, action: (&str, &str, &str), more: &Value) -> Value {
    let (verb, resource, environment) = action;
    let mut rule = json!({
        "name": name, "verb": verb, "resource": resource, "environment": environment, "requesters": ["engineers"],
        "executors": ["engineers"], "approval": "required", "quorum": { "approvers": 1 }, "patterns": true,
        "pending_seconds": 86400, "approved_seconds": 3600, "start_seconds": 300, "work_seconds": 3600,
    });
    rule.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    rule
}

fn beginning(sign_in: &Value) -> Beginning {
    let both = json!({ "requesters": ["engineers", "approvers"], "executors": ["engineers", "approvers"] });
    let rules = [
        rule("activate", ("activate", "policy/main", "control"), &json!({})),
        rule("override", ("override", "payout/*", "production"), &json!({})),
        rule("release", ("deploy", "release/*", "production"), &json!({ "signature": "required" })),
        rule("failover", ("failover", "region/*", "production"), &json!({ "fresh_seconds": 300 })),
        rule("enroll", ("enroll", "voting-key/*", "control"), &both),
    ];
    let policy = json!({
        "name": "browser", "sign_in": sign_in, "access": { "read": ["engineers"] }, "rules": rules,
        "groups": { "engineers": [PersonId(1)], "approvers": [PersonId(2), PersonId(3)] },
    });
    let people = PEOPLE.map(|(id, name)| NewPerson { id: PersonId(id), name: name.to_owned() }).to_vec();
    Beginning { policy: serde_json::from_value(policy).expect("a policy"), people, secrets: Vec::new() }
}

impl Stage {
    pub(crate) async fn begin() -> Self {
        Self::with(&json!({}), None).await
    }

    /// People may sign in with a password.
    pub(crate) async fn taking_passwords() -> Self {
        Self::with(&json!({ "password": true }), None).await
    }

    /// People may sign in through this provider.
    pub(crate) async fn at(provider: &Provider) -> Self {
        Self::with(&json!({ "sso": [PROVIDER] }), Some(provider)).await
    }

    async fn with(sign_in: &Value, provider: Option<&Provider>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let providers = provider.map(|provider| {
            (PROVIDER.parse().expect("a name"), provider.config(key(folder.path(), "client.key", 11)))
        });
        let config = NodeConfig {
            listen: "127.0.0.1:0".parse().expect("an address"),
            public_url: None,
            dpop_nonce: ProofNonce::Demanded,
            tls: None,
            issuers: BTreeMap::new(),
            providers: providers.into_iter().collect(),
            data: folder.path().join("data"),
            postgres: None,
            origin: "ledger.test/browser".into(),
            log_key: key(folder.path(), "log.key", 7),
            next_log_key: None,
            permit_key: Some(key(folder.path(), "permit.key", 42)),
            sealing_key: key(folder.path(), "sealing.key", 8),
            checkpoint: folder.path().join("checkpoint"),
            endpoints: BTreeMap::new(),
            witnesses: Witnesses::default(),
        };
        let claims = initialise(&config, beginning(sign_in)).await.expect("it begins");
        let claims: BTreeMap<_, _> = claims.into_iter().map(|it| (it.person.name, it.claim)).collect();
        let node = Node::start(&config).await.expect("it starts");
        let address = node.address();
        let (stop, told) = oneshot::channel::<()>();
        let running = tokio::spawn(node.run(async move { drop(told.await) }));
        let elsewhere = format!("http://{address}");
        let credential = Credential::draw().expect("a credential");
        let ana = Client::new(&elsewhere, Some(&credential)).expect("a client");
        ana.claim(&claims["Ana"], &credential).await.expect("claimed");
        let site = format!("http://localhost:{}", address.port());
        Self { site, elsewhere, ana, claims, stop: Some(stop), running, folder }
    }

    /// By what the node proves to the provider which client it is.
    pub(crate) fn client_secret(&self) -> SecretRef {
        SecretRef::File(self.folder.path().join("client.key"))
    }

    pub(crate) async fn end(mut self) {
        self.stop.take().expect("once").send(()).expect("it listens");
        self.running.await.expect("no panic").expect("no failure");
    }

    pub(crate) fn claim(&self, name: &str) -> &str {
        &self.claims[name]
    }

    /// A tab in which somebody followed their one-time link and made a passkey.
    pub(crate) fn arrive(&self, name: &str) -> (Tab, String) {
        let tab = Tab::open();
        let authenticator = tab.add_authenticator();
        tab.go(&format!("{}/claim#{}", self.site, self.claim(name)));
        tab.click("Continue");
        assert!(tab.text().contains(&format!("Welcome, {name}")), "{}", tab.text());
        tab.fill("name", "Laptop");
        tab.click("Make a passkey and sign in");
        assert_eq!(tab.path(), "/", "{}", tab.text());
        (tab, authenticator)
    }

    /// Ana asks; the id of her request.
    pub(crate) async fn asked(&self, (verb, resource): (&str, &str), parameters: Value) -> String {
        let environment = if verb == "enroll" { "control" } else { "production" };
        let action = Action { verb: verb.into(), resource: resource.into(), environment: environment.into() };
        let request = RequestApproval { action, parameters, reason: Some("incident 42".into()) };
        self.ana.request_approval(&request).await.expect("asked").id
    }
}
