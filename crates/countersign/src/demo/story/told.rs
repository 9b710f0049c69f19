//! What was expected, what was observed, and whether they agree: for people as it happens, for programs as one document.

use std::io::Write as _;

use serde::Serialize;

/// One step of the story.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Step {
    name: String,
    expected: String,
    observed: String,
    ok: bool,
}

/// The steps so far.
#[derive(Debug)]
pub(super) struct Told {
    steps: Vec<Step>,
    /// Whether people are told each step as it happens.
    aloud: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    steps: &'a [Step],
    ok: bool,
}

impl Told {
    pub(super) fn new(aloud: bool) -> Self {
        Self { steps: Vec::new(), aloud }
    }

    /// A step that is right exactly if what was observed is what was expected.
    pub(super) fn same(
        &mut self,
        name: &str,
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) -> anyhow::Result<()> {
        let (expected, observed) = (expected.into(), observed.into());
        let ok = expected == observed;
        self.push(Step { name: name.to_owned(), expected, observed, ok })
    }

    /// A step whose observation was judged against a bound that `expected` puts into words.
    pub(super) fn judged(
        &mut self,
        name: &str,
        (expected, observed): (impl Into<String>, impl Into<String>),
        judgement: Judgement,
    ) -> anyhow::Result<()> {
        let ok = judgement == Judgement::Holds;
        self.push(Step { name: name.to_owned(), expected: expected.into(), observed: observed.into(), ok })
    }

    /// The chapter could not be told to its end.
    pub(super) fn broke_off(&mut self, chapter: &str, error: &anyhow::Error) -> anyhow::Result<()> {
        let step = Step {
            name: chapter.to_owned(),
            expected: "the story goes on".to_owned(),
            observed: format!("{error:#}"),
            ok: false,
        };
        self.push(step)
    }

    /// Whether every step came out as told. An empty story proves nothing.
    pub(super) fn is_true(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|step| step.ok)
    }

    /// Closes the story: a last line for people, the whole of it for programs.
    pub(super) fn finish(&self) -> anyhow::Result<()> {
        let ok = self.is_true();
        let mut out = std::io::stdout().lock();
        if self.aloud {
            let right = self.steps.iter().filter(|step| step.ok).count();
            let verdict = if ok { "every step came out as told" } else { "the story does not hold" };
            writeln!(out, "\n{right} of {} steps: {verdict}", self.steps.len())?;
        } else {
            writeln!(out, "{}", serde_json::to_string(&Document { steps: &self.steps, ok })?)?;
        }
        Ok(out.flush()?)
    }

    fn push(&mut self, step: Step) -> anyhow::Result<()> {
        if self.aloud {
            let Step { name, expected, observed, ok } = &step;
            let mut out = std::io::stdout().lock();
            let mark = if *ok { "ok  " } else { "BAD " };
            writeln!(out, "{mark} {name}\n       {observed}")?;
            if !ok {
                writeln!(out, "       expected: {expected}")?;
            }
            out.flush()?;
        }
        self.steps.push(step);
        Ok(())
    }
}

/// Whether a bound holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Holds,
    Broken,
}

impl From<bool> for Judgement {
    fn from(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Broken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_step_makes_the_story_wrong_and_no_step_proves_nothing() {
        let mut told = Told::new(false);
        assert!(!told.is_true());
        told.same("right", "a", "a").unwrap();
        assert!(told.is_true());
        told.same("wrong", "a", "b").unwrap();
        told.same("right again", "c", "c").unwrap();
        assert!(!told.is_true());
    }
}
