//! Lives through companies by seed, and prints what must never be.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use countersign_simulation::{defects, simulate};

/// Years of faults in minutes: the real core and engine over a simulated store, network and clock.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many companies.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The seed of the first.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Steps of each.
    #[arg(long, default_value_t = 1_500)]
    steps: u64,
    /// Break this rule, which must be noticed.
    #[arg(long)]
    defect: Option<String>,
    /// Break every rule, one after another, and print a table of how soon that is noticed.
    #[arg(long, conflicts_with = "defect")]
    table: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.table {
        return table(&arguments);
    }
    if let Some(defect) = &arguments.defect {
        defects::introduce(defect).map_err(anyhow::Error::msg)?;
    }
    Ok(live_through(&arguments))
}

#[expect(clippy::print_stdout, reason = "what it is for")]
fn live_through(Arguments { seeds, from, steps, defect, .. }: &Arguments) -> ExitCode {
    let (begun, mut entries, mut lived_ms, mut total) = (Instant::now(), 0, 0, 0);
    for seed in *from..from.saturating_add(*seeds) {
        match simulate(seed, *steps) {
            Ok(run) => {
                (entries, lived_ms, total) =
                    (entries + run.entries, lived_ms + run.lived_ms, total + run.steps);
                println!(
                    "seed {seed}: {} entries, {} permits, {} rotations ended, {} min lived, root {}",
                    run.entries,
                    run.permits,
                    run.rotations,
                    run.lived_ms / 60_000,
                    run.root
                );
            }
            Err(failure) => {
                println!("{failure}");
                if defect.is_none() {
                    let replay = "cargo run -p xtask -- simulate --seeds 1";
                    println!("again: {replay} --from {} --steps {steps}", failure.seed);
                }
                return ExitCode::FAILURE;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let hours = lived_ms / 3_600_000;
    println!(
        "{seeds} companies, {entries} entries, {total} steps, {hours} h lived in {seconds:.1} s: nothing to object to"
    );
    ExitCode::SUCCESS
}

/// Each rule is broken in a process of its own.
#[expect(clippy::print_stdout, reason = "what it is for")]
fn table(Arguments { seeds, from, steps, .. }: &Arguments) -> anyhow::Result<ExitCode> {
    let itself = std::env::current_exe().context("this very program")?;
    println!("| defect | noticed at | by what |\n|---|---|---|");
    let mut unnoticed = 0;
    for defect in defects::defects() {
        let numbers = [("--seeds", seeds), ("--from", from), ("--steps", steps)];
        let numbers = numbers.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()]);
        let child = Command::new(&itself).args(["--defect", defect]).args(numbers).output()?;
        let printed = String::from_utf8_lossy(&child.stdout);
        let last = printed.lines().last().unwrap_or_default();
        match last.split_once(": ").filter(|_| !child.status.success()) {
            Some((place, what)) => println!("| `{defect}` | {place} | {} |", shortened(what)),
            None => {
                unnoticed += 1;
                println!("| `{defect}` | not within {seeds} seeds | |");
            }
        }
    }
    Ok(if unnoticed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Without the ids, which tell a reader nothing.
fn shortened(what: &str) -> String {
    let words = what.split(' ').filter(|word| !word.contains("_0") && *word != "of");
    words.collect::<Vec<_>>().join(" ")
}
