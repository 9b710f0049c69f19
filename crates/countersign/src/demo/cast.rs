//! Who takes part in the demo, and the way they come to the stage: the same commands and files a user would use.
//!
//! Ana asks and executes, Ben and Chloe approve, Aud audits. NudgePay executes payouts itself, with a credential of its own: a third
//! instance of it overrides payouts behind the guard. The webhook secret that the provider and both NudgePay instances hold is
//! handed to Countersign as version 1. A CI system says who its jobs are. A witness, the harbour, cosigns the log's checkpoints.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_client::Client;
use countersign_server::cluster::Cluster;
use serde_json::{Value, json};

use super::child::{self, Server};
use super::witness::Witness;
use crate::commands::membership::one_time_link;
use crate::commands::node::draw_key;
use crate::credentials::{self, write_private};
use crate::people;

/// The log's name.
pub(super) const ORIGIN: &str = "demo.example/countersign";

/// The witness' name, as cosignatures carry it.
const HARBOUR: &str = "harbour.example/witness";

/// The database of a ledger in PostgreSQL.
pub(super) const DATABASE: &str = "ledger";

/// The secret that is rotated.
pub(super) const SECRET: &str = "webhook-signing/stripe";

/// Where it is used.
pub(super) const ENVIRONMENT: &str = "production";

/// The two instances of NudgePay.
pub(super) const APPLICATIONS: [&str; 2] = ["nudgepay-a", "nudgepay-b"];

/// The instance of NudgePay that overrides payouts under permits. It is started last, because it must know where Countersign is.
const PAYOUTS: &str = "nudgepay-payouts";

/// For whom tokens of the CI system must be.
pub(super) const AUDIENCE: &str = "https://countersign.demo.example";

/// A third approver, whose one-time link is for whoever follows the guided demo.
const DEE: &str = "Dee";

/// The signer.
const PROVIDER: &str = "provider";

/// Genuine webhooks per second, all endpoints together.
const WEBHOOKS_PER_SECOND: u32 = 150;

/// For how long the provider sends genuine webhooks; the guided demo says so.
pub(super) const WEBHOOK_MINUTES: u64 = 60;

/// Somebody with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Ana,
    Ben,
    Chloe,
    Aud,
    NudgePay,
}

impl Who {
    pub(super) const ALL: [Self; 5] = [Self::Ana, Self::Ben, Self::Chloe, Self::Aud, Self::NudgePay];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ana => "Ana",
            Self::Ben => "Ben",
            Self::Chloe => "Chloe",
            Self::Aud => "Aud",
            Self::NudgePay => "NudgePay",
        }
    }
}

/// Everything that runs, and everybody who may speak to it.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) places: Places,
    pub(super) witness: Witness,
    server: Server,
    payouts: Server,
    ci: Server,
    clients: BTreeMap<Who, Client>,
    cluster: Option<Cluster>,
    _others: Vec<Server>,
}

/// Where things are.
#[derive(Clone, Debug)]
pub(super) struct Places {
    root: PathBuf,
    /// The ledger's address in PostgreSQL, if it is there.
    shared: Option<String>,
}

impl Places {
    fn home(&self) -> PathBuf {
        self.root.join("server")
    }

    pub(super) fn config(&self) -> PathBuf {
        self.home().join("countersign.toml")
    }

    pub(super) fn policy(&self) -> PathBuf {
        self.home().join("policy.toml")
    }

    /// The log's public key, which the auditor pins.
    pub(super) fn log_key(&self) -> PathBuf {
        self.home().join("log.vkey")
    }

    /// The node's public key for permit documents, which executors pin.
    pub(super) fn permit_key(&self) -> PathBuf {
        self.home().join("permit.vkey")
    }

    /// The auditor's own demand: the harbour must have cosigned.
    pub(super) fn witnesses(&self) -> PathBuf {
        self.root.join("witnesses.txt")
    }

    /// The ledger, as a file or as an address.
    pub(super) fn database(&self) -> anyhow::Result<PathBuf> {
        if let Some(address) = &self.shared {
            return Ok(PathBuf::from(address));
        }
        Ok(countersign_server::config::NodeConfig::load(&self.config())?.database())
    }

    pub(super) fn credential(&self, who: Who) -> PathBuf {
        self.root.join(format!("{}.json", who.name().to_lowercase()))
    }

    /// A file or folder of the demo's own.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn key(&self, name: &str) -> PathBuf {
        self.home().join("keys").join(name)
    }

    fn log(&self, program: &str) -> PathBuf {
        self.root.join(format!("{program}.log"))
    }
}

impl Cast {
    /// Sets everything up in an empty folder and starts it; the ledger is in the cluster, if there is one.
    pub(super) async fn enter(root: &Path, cluster: Option<Cluster>) -> anyhow::Result<Self> {
        let shared = cluster.as_ref().map(|cluster| cluster.uri(DATABASE));
        let places = Places { root: root.to_owned(), shared };
        let ci = start_ci(&places).await?;
        scaffold(&places, &ci).await?;
        let secret = draw()?;
        write_private(&places.key("stripe.secret"), &secret)?;
        let (provider, applications) = start_the_governed(&places, &secret).await?;
        let harbour = start_harbour(&places).await?;
        configure(&places, (&provider, &applications), (&harbour, &ci))?;
        genesis(&places).await?;
        let witness = Witness::new(provider.url(), applications.iter().map(Server::url).collect())?;
        witness.register().await?;
        let server = start_countersign(&places).await?;
        let clients = claim_all(&places, &server.url()).await?;
        let guard = guard(&places, &server)?;
        let extra = json!({ "provider_url": provider.url(), "guard": guard });
        let payouts = start_nudgepay(&places, ("app", PAYOUTS), (&secret, &extra)).await?;
        let others = [provider, harbour].into_iter().chain(applications).collect();
        Ok(Self { places, witness, server, payouts, ci, clients, cluster, _others: others })
    }

    pub(super) fn client(&self, who: Who) -> anyhow::Result<&Client> {
        self.clients.get(&who).with_context(|| format!("{} has no credential", who.name()))
    }

    /// The instance of NudgePay that overrides payouts.
    pub(super) fn payouts(&self) -> String {
        self.payouts.url()
    }

    /// The CI system.
    pub(super) fn ci(&self) -> String {
        self.ci.url()
    }

    /// Dee's one-time link.
    pub(super) fn one_time_link(&self) -> anyhow::Result<String> {
        let claim = fs::read_to_string(self.places.at("claims").join(format!("{DEE}.claim")));
        let claim = claim.context("reading Dee's claim")?;
        Ok(one_time_link(&self.countersign(), claim.trim()))
    }

    /// Where Countersign is.
    pub(super) fn countersign(&self) -> String {
        self.server.url()
    }

    /// The PostgreSQL that keeps the ledger, if one does.
    pub(super) fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// Ends every program; what is left is what is on disk.
    pub(super) async fn stop(self) -> anyhow::Result<Places> {
        self.server.kill().await?;
        Ok(self.places)
    }

    /// Somebody at another node.
    pub(super) fn client_at(&self, who: Who, node: &Server) -> anyhow::Result<Client> {
        let saved = credentials::load(&self.places.credential(who))?;
        Ok(Client::new(&node.url(), Some(&saved.credential))?)
    }

    /// One more node on the same ledger, with a folder and a checkpoint file of its own.
    pub(super) async fn another_node(&self, name: &str) -> anyhow::Result<Server> {
        let made = fs::read_to_string(self.places.config()).context("reading the configuration")?;
        let own = made
            .replace("data = \"data\"", &format!("data = \"{name}\""))
            .replace("checkpoint = \"checkpoint\"", &format!("checkpoint = \"{name}.checkpoint\""));
        let config = self.places.home().join(format!("{name}.toml"));
        write_private(&config, &own)?;
        let arguments = ["serve".as_ref(), "--config".as_ref(), config.as_os_str(), "--with-parent".as_ref()];
        Server::start(&arguments, &self.places.log(name)).await
    }

    /// Kills the server, as a crash would, and starts it again on the same data.
    pub(super) async fn crash_and_restart(mut self) -> anyhow::Result<Self> {
        self.server.kill().await?;
        self.server = start_countersign(&self.places).await?;
        let url = self.server.url();
        for who in Who::ALL {
            let saved = credentials::load(&self.places.credential(who))?;
            self.clients.insert(who, Client::new(&url, Some(&saved.credential))?);
        }
        Ok(self)
    }
}

/// `countersign new` makes folder, keys and people.
async fn scaffold(places: &Places, ci: &Server) -> anyhow::Result<()> {
    let home = places.home();
    let mut arguments = vec![OsStr::new("new"), home.as_os_str(), "--origin".as_ref(), ORIGIN.as_ref()];
    arguments.extend(["--listen".as_ref(), OsStr::new("127.0.0.1:0")]);
    for who in Who::ALL {
        arguments.extend(["--person".as_ref(), OsStr::new(who.name())]);
    }
    arguments.extend(["--person".as_ref(), OsStr::new(DEE)]);
    child::run(&arguments).await?.successful().context("`countersign new`")?;
    let ids: BTreeMap<String, String> = people::load(&home.join("people.toml"))?
        .into_iter()
        .map(|person| (person.name, person.id.to_string()))
        .collect();
    let named = |name: &str| ids.get(name).cloned().context("a person without an id");
    let id = |who: Who| named(who.name());
    let policy = POLICY
        .replace("$ANA", &id(Who::Ana)?)
        .replace("$BEN", &id(Who::Ben)?)
        .replace("$CHLOE", &id(Who::Chloe)?)
        .replace("$DEE", &named(DEE)?)
        .replace("$AUD", &id(Who::Aud)?)
        .replace("$NUDGEPAY", &id(Who::NudgePay)?)
        .replace("$CI", &ci.url());
    fs::write(places.policy(), policy).context("writing the policy")
}

/// First of all, because the policy names it.
async fn start_ci(places: &Places) -> anyhow::Result<Server> {
    let file = places.at("ci.json");
    let config = json!({ "listen": "127.0.0.1:0", "lifetime": "with_parent" });
    write_private(&file, &config.to_string())?;
    Server::start(&["nudgepay".as_ref(), "ci".as_ref(), file.as_os_str()], &places.log("ci")).await
}

/// The provider first, because NudgePay must know where it is.
async fn start_the_governed(places: &Places, secret: &str) -> anyhow::Result<(Server, Vec<Server>)> {
    let flow = json!({
        "rate_per_second": WEBHOOKS_PER_SECOND, "run_for_seconds": WEBHOOK_MINUTES * 60, "workers": 4, "switch_lag_ms": 300,
    });
    let provider = start_nudgepay(places, ("provider", PROVIDER), (secret, &flow)).await?;
    let mut applications = Vec::new();
    for name in APPLICATIONS {
        let extra = json!({ "provider_url": provider.url() });
        applications.push(start_nudgepay(places, ("app", name), (secret, &extra)).await?);
    }
    Ok((provider, applications))
}

async fn start_nudgepay(
    places: &Places,
    (program, name): (&str, &str),
    (secret, extra): (&str, &Value),
) -> anyhow::Result<Server> {
    let hook_key = draw()?;
    write_private(&places.key(&format!("{name}.hook")), &hook_key)?;
    let mut config = json!({
        "listen": "127.0.0.1:0", "data_dir": places.at(name), "hook_key": hook_key, "initial_secret": secret,
        "lifetime": "with_parent",
    });
    if let (Some(config), Some(extra)) = (config.as_object_mut(), extra.as_object()) {
        config.extend(extra.clone());
    }
    let file = places.at(&format!("{name}.json"));
    write_private(&file, &config.to_string())?;
    Server::start(&["nudgepay".as_ref(), program.as_ref(), file.as_os_str()], &places.log(name)).await
}

/// Where NudgePay asks before it overrides a payout, and as whom.
fn guard(places: &Places, server: &Server) -> anyhow::Result<Value> {
    let saved = credentials::load(&places.credential(Who::NudgePay))?;
    Ok(json!({ "server": server.url(), "credential": saved.credential.expose() }))
}

/// A witness that somebody else would run: it cosigns what it was shown, and an auditor can demand that.
async fn start_harbour(places: &Places) -> anyhow::Result<Server> {
    let (home, log) = (places.at("harbour"), fs::read_to_string(places.log_key())?);
    let arguments = [
        "witness".as_ref(),
        "new".as_ref(),
        home.as_os_str(),
        "--name".as_ref(),
        HARBOUR.as_ref(),
        "--log".as_ref(),
        OsStr::new(log.trim()),
        "--listen".as_ref(),
        "127.0.0.1:0".as_ref(),
    ];
    child::run(&arguments).await?.successful().context("`countersign witness new`")?;
    let key = fs::read_to_string(home.join("witness.vkey")).context("reading the witness' key")?;
    let demand = format!("log {}\nwitness harbour {}\nquorum harbour\n", log.trim(), key.trim());
    fs::write(places.witnesses(), demand).context("writing what the auditor demands")?;
    let config = home.join("witness.toml");
    let arguments = [
        "witness".as_ref(),
        "serve".as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
        "--with-parent".as_ref(),
    ];
    Server::start(&arguments, &places.log("harbour")).await
}

/// Tells Countersign where the others are and with which keys it speaks to them.
fn configure(
    places: &Places,
    (provider, applications): (&Server, &[Server]),
    (harbour, ci): (&Server, &Server),
) -> anyhow::Result<()> {
    let key =
        fs::read_to_string(places.at("harbour").join("witness.vkey")).context("reading the witness' key")?;
    let mut text = format!(
        "\n[[witnesses]]\nname = \"harbour\"\nvkey = \"{}\"\nurl = \"{}\"\n\n",
        key.trim(),
        harbour.url()
    );
    writeln!(text, "[issuers.ci]\nissuer = \"{}\"\naudience = \"{AUDIENCE}\"\n", ci.url())?;
    for (name, server) in APPLICATIONS.iter().zip(applications) {
        let (url, key) = (server.url(), places.key(&format!("{name}.hook")));
        writeln!(
            text,
            "[endpoints.{name}]\nhook_url = \"{url}/hooks/countersign\"\nprobe_url = \"{url}/webhooks/stripe\"\nkey = \"file:{}\"\n",
            key.display()
        )?;
    }
    let (url, key) = (provider.url(), places.key(&format!("{PROVIDER}.hook")));
    writeln!(
        text,
        "[endpoints.{PROVIDER}]\nhook_url = \"{url}/hooks/countersign\"\nkey = \"file:{}\"",
        key.display()
    )?;
    if let Some(address) = &places.shared {
        writeln!(text, "\n[store]\npostgres = \"{address}\"")?;
    }
    // What is the node's own must stand before the first table.
    let made = fs::read_to_string(places.config()).context("reading the configuration")?;
    let whole = format!("witness_policy = \"any\"\n{made}{text}");
    fs::write(places.config(), whole).context("writing the configuration")
}

/// `countersign init` writes genesis and one file with a claim for each person.
async fn genesis(places: &Places) -> anyhow::Result<()> {
    let secret = format!("{SECRET}@{ENVIRONMENT}=file:{}", places.key("stripe.secret").display());
    let (config, claims) = (places.config(), places.at("claims"));
    let arguments = [
        "init".as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
        "--secret".as_ref(),
        secret.as_ref(),
        "--claims".as_ref(),
        claims.as_os_str(),
    ];
    child::run(&arguments).await?.successful().context("`countersign init`")?;
    Ok(())
}

async fn start_countersign(places: &Places) -> anyhow::Result<Server> {
    let config = places.config();
    let arguments = ["serve".as_ref(), "--config".as_ref(), config.as_os_str(), "--with-parent".as_ref()];
    Server::start(&arguments, &places.log("countersign")).await
}

/// Everybody replaces their claim by a credential of their own, as they would on their own machine.
async fn claim_all(places: &Places, url: &str) -> anyhow::Result<BTreeMap<Who, Client>> {
    let mut clients = BTreeMap::new();
    for who in Who::ALL {
        let claim = places.at("claims").join(format!("{}.claim", who.name()));
        let saved = places.credential(who);
        let arguments = [
            "--server".as_ref(),
            OsStr::new(url),
            "claim".as_ref(),
            "--claim".as_ref(),
            claim.as_os_str(),
            "--save".as_ref(),
            saved.as_os_str(),
        ];
        child::run(&arguments).await?.successful().with_context(|| format!("{} claims", who.name()))?;
        clients.insert(who, Client::new(url, Some(&credentials::load(&saved)?.credential))?);
    }
    Ok(clients)
}

/// 256 random bits in the form that Standard Webhooks and Stripe both use.
fn draw() -> anyhow::Result<String> {
    Ok(format!("whsec_{}", STANDARD.encode(draw_key()?)))
}

/// The demo's policy, with placeholders for people.
const POLICY: &str = include_str!("policy.toml");
