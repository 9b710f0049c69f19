//! What can be typed: global options and the nouns. Each noun's verbs stand in its own file under `commands`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    access, approval, break_glass, completions, entry, evidence, freeze, ledger, log_key, node, permit,
    person, policy, rotation, run, sign_in, store, token, vectors, witness,
};
use crate::failure::EXIT_CODES;

/// Governs the high-risk operations of a payment platform: who agreed to what, and proof of it.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) noun: Noun,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The file with your credential, as `countersign claim` wrote it.
    #[arg(long, global = true, value_name = "FILE", env = "COUNTERSIGN_CREDENTIAL_FILE")]
    pub(crate) credential: Option<PathBuf>,
    /// The server, instead of the one in the credential file.
    #[arg(long, global = true, value_name = "URL", env = "COUNTERSIGN_SERVER")]
    pub(crate) server: Option<String>,
    /// Print JSON for programs, errors included.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What a command is about.
#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// Make a folder with configuration, keys, people and a first policy.
    New(node::New),
    /// Write genesis: the first people and the first policy. Once.
    Init(node::Init),
    /// Run the server.
    Serve(node::Serve),
    /// Replace a one-time claim by a credential of your own.
    Claim(person::Claim),
    /// Sign in with a session that ends by itself: confirmed where you are signed in with a browser.
    Login(sign_in::Login),
    /// End the session that `countersign login` keeps.
    Logout,
    /// Where you are signed in.
    #[command(subcommand)]
    Session(sign_in::Verb),
    /// Show whom the credential belongs to.
    Whoami,
    /// People.
    #[command(subcommand)]
    Person(person::Verb),
    /// Who may do what, who did, and what nobody needs any more.
    #[command(subcommand)]
    Access(access::Verb),
    /// Service tokens: short-lived credentials of automation.
    #[command(subcommand)]
    Token(token::Verb),
    /// Requests for approval and votes on them.
    #[command(subcommand)]
    Approval(approval::Verb),
    /// Leave to execute one action now.
    #[command(subcommand)]
    Permit(permit::Verb),
    Run(run::Run),
    /// Acting without anybody's consent, and the debts that leaves.
    #[command(subcommand)]
    BreakGlass(break_glass::Verb),
    /// Rotations of secrets.
    #[command(subcommand)]
    Rotation(rotation::Verb),
    /// Governed secrets: versions, never values.
    #[command(subcommand)]
    Secret(rotation::SecretVerb),
    /// Incidents.
    #[command(subcommand)]
    Incident(entry::IncidentVerb),
    /// The policy in force.
    #[command(subcommand)]
    Policy(policy::Verb),
    /// When some actions are not begun.
    #[command(subcommand)]
    Freeze(freeze::Verb),
    /// Entries of the ledger.
    #[command(subcommand)]
    Entry(entry::Verb),
    /// Evidence: one file about a case, verified offline.
    #[command(subcommand)]
    Evidence(evidence::Verb),
    /// Proofs: checkpoint, inclusion, and verification of a whole log.
    #[command(subcommand)]
    Ledger(ledger::Verb),
    /// Where the ledger is kept.
    #[command(subcommand)]
    Store(store::Verb),
    /// A witness of one's own: cosigns other logs' checkpoints.
    #[command(subcommand)]
    Witness(witness::Verb),
    /// The keys that sign the log.
    #[command(subcommand)]
    LogKey(log_key::Verb),
    /// Published test vectors for approvals.
    #[command(subcommand)]
    Vectors(vectors::Verb),
    /// Print completions for a shell.
    Completions(completions::Completions),
    /// Print this reference as Markdown.
    #[command(hide = true)]
    Reference,
    /// Run Countersign with the application it governs, on this machine.
    #[cfg(feature = "demo")]
    Demo(crate::demo::Demo),
    /// One of the demo's programs.
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    Nudgepay(crate::demo::Program),
}

/// Which part of a list.
#[derive(Clone, Debug, Args)]
pub(crate) struct Listed {
    /// Only those in this stored state.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// How many to show, 1 to 200.
    #[arg(long)]
    pub(crate) limit: Option<usize>,
    /// Begin after this id: `next` of the list before.
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<String>,
}

impl Listed {
    pub(crate) fn listing(&self) -> countersign_client::Listing {
        let Self { status, limit, after } = self.clone();
        countersign_client::Listing { status, limit, after }
    }
}

/// An action, as typed.
#[derive(Clone, Debug, Args)]
pub(crate) struct Action {
    /// What is to be done: `rotate`.
    verb: String,
    /// To what: `webhook-signing/stripe`.
    resource: String,
    /// Where: `production`.
    environment: String,
}

impl Action {
    pub(crate) fn wire(&self) -> countersign_api::Action {
        let Self { verb, resource, environment } = self.clone();
        countersign_api::Action { verb, resource, environment }
    }
}

/// Why, for those who read it later.
#[derive(Clone, Debug, Args)]
pub(crate) struct Why {
    /// Why, for those who read it later.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

impl Why {
    pub(crate) fn wire(&self) -> countersign_api::Reason {
        countersign_api::Reason { reason: self.reason.clone() }
    }
}
