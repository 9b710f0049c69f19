//! Breaking the glass and reviewing it, through the whole precedence of their refusals.

use countersign_core::break_glass::{Open, Reason, Review, Verdict};
use countersign_core::id::BreakGlassId;
use countersign_core::{Actor, Command, Subject};

use super::{Walk, walk};
use crate::book::Book;
use crate::script::{breaking, elapsed, glass_broken, reviewing};
use crate::signing;
use crate::stage::{self, ANA, AUD, BEN, CHLOE, DAN, EVE, FAILOVER, PAYOUT};

pub(super) fn break_glass() -> Walk {
    let mut walk = walk();
    signing::with_keys(&mut walk.book, &[(ANA, 0), (ANA, 1), (DAN, 1)]);
    walk.refused(
        Actor::Node,
        &opening(&walk.book, "launch payout/limit production"),
        "break_glass/not_a_person",
    );
    walk.refused(BEN, &opening(&walk.book, "launch payout/limit production"), "break_glass/no_rule");
    walk.refused(BEN, &opening(&walk.book, PAYOUT), "break_glass/break_glass_not_offered");
    walk.refused(BEN, &opening(&walk.book, FAILOVER), "break_glass/break_glass_not_allowed");
    let debt = glass_broken(&mut walk.book, ANA);
    elapsed(&mut walk.book, Subject::BreakGlass(debt));
    let mut wrong = breaking(&walk.book, ANA);
    wrong.reason = Reason::Missing;
    wrong.signed_at = stage::BEGINNING;
    wrong.signature = signing::signature((DAN, 1), 7);
    walk.refused(ANA, &Command::BreakGlass(wrong.clone()), "break_glass/voting_key_not_in_force");
    wrong.signature = signing::signature((ANA, 0), 7);
    walk.refused(ANA, &Command::BreakGlass(wrong.clone()), "break_glass/hardware_key_required");
    wrong.signature = signing::signature((ANA, 1), 7);
    walk.refused(ANA, &Command::BreakGlass(wrong.clone()), "break_glass/reason_required");
    wrong.reason = Reason::Given;
    walk.refused(ANA, &Command::BreakGlass(wrong.clone()), "break_glass/statement_stale");
    walk.book.must(CHLOE, &reviewing(debt, Verdict::Justified));
    walk.book.must(BEN, &reviewing(debt, Verdict::Justified));
    let debt = glass_broken(&mut walk.book, DAN);
    elapsed(&mut walk.book, Subject::BreakGlass(debt));
    walk.refused(ANA, &opening(&walk.book, FAILOVER), "break_glass/break_glass_overdue");
    walk.book.must(CHLOE, &reviewing(debt, Verdict::Justified));
    walk.book.must(BEN, &reviewing(debt, Verdict::Justified));
    let open = breaking(&walk.book, ANA);
    walk.happens(ANA, &Command::BreakGlass(open.clone()));
    walk.refused(ANA, &Command::BreakGlass(open), "break_glass/statement_used");
    let [_, _, without_ben, ..] = stage::policies();
    walk.activate(without_ben);
    walk.book.now = walk.book.now.plus_millis(1);
    walk.refused(ANA, &opening(&walk.book, FAILOVER), "break_glass/break_glass_unreviewable");
    walk
}

fn opening(book: &Book, action: &str) -> Command {
    Command::BreakGlass(Open { action: stage::action(action), ..breaking(book, ANA) })
}

pub(super) fn review() -> Walk {
    let mut walk = walk();
    signing::with_keys(&mut walk.book, &[(ANA, 1)]);
    let of = |break_glass, reason| {
        Command::ReviewBreakGlass(Review { break_glass, verdict: Verdict::Justified, reason })
    };
    walk.refused(Actor::Node, &of(BreakGlassId(9), Reason::Missing), "break_glass/break_glass_not_found");
    let id = glass_broken(&mut walk.book, ANA);
    walk.refused(Actor::Node, &of(id, Reason::Missing), "break_glass/not_a_person");
    walk.refused(ANA, &of(id, Reason::Missing), "break_glass/self_review");
    walk.refused(AUD, &of(id, Reason::Missing), "break_glass/not_a_reviewer");
    walk.refused(EVE, &of(id, Reason::Missing), "break_glass/not_a_reviewer");
    walk.refused(BEN, &of(id, Reason::Missing), "break_glass/reason_required");
    walk.happens(BEN, &of(id, Reason::Given));
    walk.refused(BEN, &of(id, Reason::Missing), "break_glass/already_reviewed");
    walk.happens(CHLOE, &of(id, Reason::Given));
    walk.refused(BEN, &of(id, Reason::Missing), "break_glass/break_glass_settled");
    walk
}
