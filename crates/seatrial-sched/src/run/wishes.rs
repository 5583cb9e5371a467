//! What nodes have asked for and not got.

use seatrial_model::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// Standing wishes, served one job a turn, so that few jobs are spread over many nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    by_node: BTreeMap<NodeId, Wish>,
    turns: BTreeSet<(u64, NodeId)>,
    next_turn: u64,
    total: u64,
}

#[derive(Clone, Copy, Debug)]
struct Wish {
    turn: u64,
    count: u32,
}

impl Wishes {
    /// The node asks for so many more.
    pub(super) fn add(&mut self, node: NodeId, count: u32) {
        if count == 0 {
            return;
        }
        self.total += u64::from(count);
        if let Some(wish) = self.by_node.get_mut(&node) {
            wish.count = wish.count.saturating_add(count);
        } else {
            self.line_up(node, count);
        }
    }

    /// The node whose turn it is; one of its wishes is served.
    pub(super) fn serve(&mut self) -> Option<NodeId> {
        let (_, node) = self.turns.pop_first()?;
        let wish = self.by_node.remove(&node)?;
        self.total = self.total.saturating_sub(1);
        if wish.count > 1 {
            self.line_up(node, wish.count - 1);
        }
        Some(node)
    }

    /// The node is gone.
    pub(super) fn forget(&mut self, node: NodeId) {
        if let Some(wish) = self.by_node.remove(&node) {
            self.turns.remove(&(wish.turn, node));
            self.total = self.total.saturating_sub(u64::from(wish.count));
        }
    }

    /// Wishes of all nodes.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    fn line_up(&mut self, node: NodeId, count: u32) {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.by_node.insert(node, Wish { turn, count });
        self.turns.insert((turn, node));
    }
}
