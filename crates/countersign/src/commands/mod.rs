//! What each command does, one file per noun: read the arguments, call the server or the file, show the answer.

use std::path::PathBuf;
use std::process::ExitCode;

use countersign_api::problem::Missing;
use countersign_client::Client;

use crate::cli::{Cli, Noun, Options};
use crate::credentials::{self, Saved};
use crate::failure::{Failure, Kind};
use crate::output::Output;

pub(crate) mod access;
pub(crate) mod approval;
pub(crate) mod break_glass;
pub(crate) mod completions;
mod delegation;
pub(crate) mod entry;
pub(crate) mod evidence;
pub(crate) mod follow;
pub(crate) mod freeze;
pub(crate) mod fsck;
pub(crate) mod ledger;
pub(crate) mod log_key;
pub(crate) mod membership;
pub(crate) mod node;
pub(crate) mod permit;
pub(crate) mod person;
pub(crate) mod policy;
mod reference;
pub(crate) mod rotation;
pub(crate) mod run;
pub(crate) mod sign_in;
pub(crate) mod signing;
pub(crate) mod store;
pub(crate) mod token;
pub(crate) mod vectors;
pub(crate) mod voting_key;
mod wait;
pub(crate) mod witness;

/// What commands work with.
pub(crate) struct Session {
    options: Options,
    pub(crate) output: Output,
}

impl Session {
    /// A client that acts as the holder of the credential.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let saved = self.saved()?;
        saved.client(self.options.server.as_deref().unwrap_or(&saved.server))
    }

    /// The credential in its file.
    pub(crate) fn saved(&self) -> anyhow::Result<Saved> {
        credentials::load(&self.credential_path()?)
    }

    /// The file with the credential.
    pub(crate) fn credential_path(&self) -> anyhow::Result<PathBuf> {
        match &self.options.credential {
            Some(path) => Ok(path.clone()),
            None => credentials::default_path(),
        }
    }

    /// The server that was named.
    pub(crate) fn server(&self) -> anyhow::Result<&str> {
        let missing = || Failure::new(Kind::Malformed, "no server is named").hint("add `--server URL`");
        Ok(self.options.server.as_deref().ok_or_else(missing)?)
    }
}

/// Runs what was typed.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { options, noun } = cli;
    let session = Session { output: Output::new(options.json), options };
    let session = &session;
    match noun {
        Noun::New(new) => node::new(session, &new),
        Noun::Init(init) => node::init(session, &init).await,
        Noun::Serve(serve) => node::serve(&serve).await,
        Noun::Claim(claim) => person::claim(session, &claim).await,
        Noun::Login(login) => sign_in::login(session, &login).await,
        Noun::Logout => sign_in::logout(session).await,
        Noun::Session(verb) => sign_in::run(session, verb).await,
        Noun::Whoami => person::whoami(session).await,
        Noun::Person(verb) => person::run(session, verb).await,
        Noun::Access(verb) => access::run(session, verb).await,
        Noun::Token(verb) => token::run(session, verb).await,
        Noun::Approval(verb) => approval::run(session, verb).await,
        Noun::Permit(verb) => permit::run(session, verb).await,
        Noun::Run(arguments) => return run::run(session, &arguments).await,
        Noun::BreakGlass(verb) => break_glass::run(session, verb).await,
        Noun::Rotation(verb) => return rotation::run(session, verb).await,
        Noun::Secret(verb) => rotation::secrets(session, verb).await,
        Noun::Incident(verb) => entry::incidents(session, verb).await,
        Noun::Policy(verb) => policy::run(session, verb).await,
        Noun::Freeze(verb) => freeze::run(session, verb).await,
        Noun::Entry(verb) => entry::run(session, verb).await,
        Noun::Evidence(verb) => evidence::run(session, verb).await,
        Noun::Ledger(verb) => ledger::run(session, verb).await,
        Noun::Store(verb) => store::run(session, &verb),
        Noun::Witness(verb) => witness::run(session, verb).await,
        Noun::LogKey(verb) => log_key::run(session, verb).await,
        Noun::Vectors(verb) => vectors::run(session, verb).await,
        Noun::Completions(completions) => completions::run(&completions),
        Noun::Reference => reference::run(),
        #[cfg(feature = "demo")]
        Noun::Demo(demo) => return crate::demo::run(&demo, session.output.is_json()).await,
        #[cfg(feature = "demo")]
        Noun::Nudgepay(program) => crate::demo::perform(&program).await,
    }
    .map(|()| ExitCode::SUCCESS)
}

/// A person by name, or by id where the name is not known.
pub(crate) fn name(person: &countersign_api::PersonRef) -> &str {
    person.name.as_deref().unwrap_or(&person.id)
}

/// What whoever agrees must have done shortly before.
pub(crate) fn proving(seconds: u32) -> String {
    format!("whoever agrees proves who they are for exactly that, within {seconds} s")
}

/// An action in its three words.
pub(crate) fn spoken(action: &countersign_api::Action) -> String {
    format!("{} {} {}", action.verb, action.resource, action.environment)
}

/// Places of a quorum that are empty, for a field: how many of which group, and who could fill them.
pub(crate) fn places(missing: &[Missing]) -> String {
    let place = |place: &Missing| format!("{} of {}: {}", place.needed, place.group, could(place));
    missing.iter().map(place).collect::<Vec<_>>().join("; ")
}

/// The same as part of a sentence, after "for".
pub(crate) fn awaited(missing: &[Missing]) -> String {
    let place = |place: &Missing| format!("{} more of {} ({})", place.needed, place.group, could(place));
    missing.iter().map(place).collect::<Vec<_>>().join(" and ")
}

fn could(place: &Missing) -> String {
    place.could.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// What a list says about its next page.
pub(crate) fn more(next: Option<&String>) -> String {
    next.map(|next| format!("\nmore: --after {next}")).unwrap_or_default()
}
