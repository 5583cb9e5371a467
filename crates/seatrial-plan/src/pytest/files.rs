//! Whether a Python can tell which files are opened in it.

use crate::planner::PlanAction;
use seatrial_model::NoticeLevel;

/// The first version (3, this) with audit hooks.
const WITH_HOOKS: u32 = 8;

/// Whether a Python of this version (`3.12.1`) can; one that cannot be read is tried.
pub(super) fn can_be_recorded(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (3, WITH_HOOKS),
        _ => true,
    }
}

/// The notice that it cannot.
pub(super) fn cannot(version: &str) -> PlanAction {
    PlanAction::Notice {
        level: NoticeLevel::Warning,
        text: format!("`--record-files` records nothing: this Python ({version}) has no audit hooks"),
        hint: Some(format!("Python 3.{WITH_HOOKS} and newer have them; `--python` names another")),
    }
}
