//! The `nudgepay` program: `nudgepay app|provider|ci CONFIG.json`.
//!
//! It only reads the configuration and hands over to the library. The configuration is a file and never an
//! argument or a variable, because both of those can be read by others on the machine and it holds keys.

use std::process::ExitCode;

use nudgepay::{app, ci, provider, serve::Error};
use serde::de::DeserializeOwned;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["app", path] => start(path, app::run).await,
        ["provider", path] => start(path, provider::run).await,
        ["ci", path] => start(path, ci::run).await,
        _ => Err("usage: nudgepay app|provider|ci CONFIG.json".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            report(&message);
            ExitCode::FAILURE
        }
    }
}

async fn start<C, F>(path: &str, run: fn(C) -> F) -> Result<(), String>
where
    C: DeserializeOwned,
    F: Future<Output = Result<(), Error>>,
{
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read `{path}`: {error}"))?;
    // Only the place of a mistake is told: the parser's own message may quote the value, and the value may be
    // a key.
    let config = serde_json::from_str(&text).map_err(|error| {
        format!("`{path}` is not a valid configuration (line {}, column {})", error.line(), error.column())
    })?;
    run(config).await.map_err(|error| error.to_string())
}

#[expect(clippy::print_stderr, reason = "the one place where this program tells its operator why it stopped")]
fn report(message: &str) {
    eprintln!("nudgepay: {message}");
}
