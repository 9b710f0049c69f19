//! How templates show values.

#![expect(unreachable_pub, reason = "the macro makes what it makes public")]

/// A time of the ledger to the minute: `2026-11-25 19:50 UTC`.
#[askama::filter_fn]
pub(super) fn moment(time: impl std::fmt::Display, _: &dyn askama::Values) -> askama::Result<String> {
    let time = time.to_string();
    Ok(match (time.get(..10), time.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => time,
    })
}
