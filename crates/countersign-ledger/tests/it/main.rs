//! Integration tests of the ledger: public vectors, properties, and comparison with independent implementations.

#[cfg(test)]
mod authenticator;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod canonical;
#[cfg(test)]
mod censuses;
#[cfg(test)]
mod cosignatures;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod entries;
#[cfg(test)]
mod envelopes;
#[cfg(test)]
mod keygen;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod notes;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod proof_files;
#[cfg(test)]
mod published;
#[cfg(test)]
mod sshsig;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod tiles;
#[cfg(test)]
mod trees;
#[cfg(test)]
mod webauthn;
#[cfg(test)]
mod witnesses;
