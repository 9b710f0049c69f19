//! Integration tests of the core: random histories against an independent auditor, merging, golden events, refusal walks.
//!
//! Only the public interface is used here, as the engine uses it. Unit tests stand beside the code.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod book;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod flaws;
#[cfg(test)]
mod freezes;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod life;
#[cfg(test)]
mod membership;
#[cfg(test)]
mod merging;
#[cfg(test)]
mod model;
#[cfg(test)]
mod passwords;
#[cfg(test)]
mod quorum;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod sabotage;
#[cfg(test)]
mod script;
#[cfg(test)]
mod sequences;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod workloads;
