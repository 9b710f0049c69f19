//! How people sign in, as the policy says: for how long, and by what.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::text::Name;

/// Shortest and longest idle time: a minute and a day, in seconds.
const IDLE_SECONDS: core::ops::RangeInclusive<u32> = 60..=24 * 3_600;

/// Longest lifetime: 7 days, in seconds.
const LONGEST_LIFETIME_SECONDS: u32 = 7 * 24 * 3_600;

/// For how long people are signed in, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// After how long without use a session ends, seconds: a minute to a day; half an hour unless given.
    #[serde(default = "SignIn::half_an_hour", skip_serializing_if = "SignIn::is_half_an_hour")]
    pub idle_seconds: NonZeroU32,
    /// How long a session lives however much it is used, seconds, at most 7 days; 12 hours unless given.
    #[serde(default = "SignIn::half_a_day", skip_serializing_if = "SignIn::is_half_a_day")]
    pub lifetime_seconds: NonZeroU32,
    /// Whether a passkey signs in that may be copied from device to device; it does unless this is `false`.
    #[serde(default = "SignIn::yes", skip_serializing_if = "Clone::clone")]
    pub synced_passkeys: bool,
    /// Whether a password with a one-time code signs in; it does not unless this is `true`.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub password: bool,
    /// The `OpenID` providers that sign in, as the node's configuration calls them; none unless named.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sso: BTreeSet<Name>,
}

impl Default for SignIn {
    fn default() -> Self {
        Self {
            idle_seconds: Self::half_an_hour(),
            lifetime_seconds: Self::half_a_day(),
            synced_passkeys: true,
            password: false,
            sso: BTreeSet::new(),
        }
    }
}

const HALF_AN_HOUR: NonZeroU32 = NonZeroU32::new(30 * 60).unwrap();
const HALF_A_DAY: NonZeroU32 = NonZeroU32::new(12 * 3_600).unwrap();

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about by reference")]
impl SignIn {
    fn half_an_hour() -> NonZeroU32 {
        HALF_AN_HOUR
    }

    fn is_half_an_hour(seconds: &NonZeroU32) -> bool {
        *seconds == HALF_AN_HOUR
    }

    fn half_a_day() -> NonZeroU32 {
        HALF_A_DAY
    }

    fn is_half_a_day(seconds: &NonZeroU32) -> bool {
        *seconds == HALF_A_DAY
    }

    fn yes() -> bool {
        true
    }

    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Everything wrong with it, each with the field it stands in.
    pub(super) fn flaws(&self) -> Vec<(&'static str, String)> {
        let mut flaws = Vec::new();
        if !IDLE_SECONDS.contains(&self.idle_seconds.get()) {
            let (least, most) = (IDLE_SECONDS.start(), IDLE_SECONDS.end());
            flaws.push(("idle_seconds", format!("a session rests for {least} to {most} seconds")));
        }
        if self.lifetime_seconds.get() > LONGEST_LIFETIME_SECONDS {
            let what = format!("a session lives for at most {LONGEST_LIFETIME_SECONDS} seconds, 7 days");
            flaws.push(("lifetime_seconds", what));
        }
        if self.lifetime_seconds < self.idle_seconds {
            flaws.push(("lifetime_seconds", "a session would end before it could rest".to_string()));
        }
        flaws
    }
}
