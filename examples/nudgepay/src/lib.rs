//! NudgePay, the application Countersign governs in its demo, and the payment provider it works with.
//!
//! Three programs for loopback only: [`app`] sells payment links and receives signed webhooks; [`provider`]
//! signs them; [`ci`] stands for the system that deploys it. The first two obey Countersign's rotation hook. Of Countersign's crates this one knows only the client, whose
//! layer guards the overriding of payouts; otherwise the sides meet in public formats (Stripe's signature scheme, Standard
//! Webhooks), as a customer's service would.

// The programs.
pub mod app;
pub mod ci;
pub mod provider;

// What they are made of: listening and stopping, the two signature schemes (pure), the rotation hook.
pub mod serve;
pub mod standard_webhooks;
pub mod stripe;

mod hook;

// What those rest on.
mod answer;
mod clock;
mod database;
mod mac;
mod outgoing;
mod secret;

pub use mac::{MacKey, VersionedKey};
pub use secret::{InvalidSecret, SecretText};
pub use serve::{Error, Lifetime};

/// The one secret both programs hold, as Countersign names it (`type/name`).
pub const SECRET: &str = "webhook-signing/stripe";

/// The one environment both programs run in.
pub const ENVIRONMENT: &str = "production";

/// The number of a secret's version; counts from 1.
pub type Version = u32;
