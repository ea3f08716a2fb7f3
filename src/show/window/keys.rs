//! What the keys do.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use minifb::{InputCallback, Key};

/// What the user can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End the run.
    Quit,
    /// Freeze the picture or go on. Data and recording are not held up.
    Pause,
    /// Swap left and right.
    Mirror,
    /// Save the picture.
    Snapshot,
    /// Begin or end a recording.
    Record,
    /// The next style of overlay.
    Style,
    /// Show or hide the latency panel.
    Latency,
}

/// What a key asks for.
pub fn action(key: Key) -> Option<Action> {
    Some(match key {
        Key::Q | Key::Escape => Action::Quit,
        Key::Space => Action::Pause,
        Key::M => Action::Mirror,
        Key::S => Action::Snapshot,
        Key::R => Action::Record,
        Key::O => Action::Style,
        Key::L => Action::Latency,
        _ => return None,
    })
}

/// Collects what was asked for. A key that is held down asks once.
#[derive(Clone, Default)]
pub(super) struct Keys(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    held: Vec<Key>,
    asked: VecDeque<Action>,
}

impl Keys {
    /// The next request.
    pub(super) fn next(&self) -> Option<Action> {
        self.0.borrow_mut().asked.pop_front()
    }
}

impl InputCallback for Keys {
    fn add_char(&mut self, _: u32) {}

    fn set_key_state(&mut self, key: Key, down: bool) {
        let mut state = self.0.borrow_mut();
        let held = state.held.contains(&key);
        if down && !held {
            state.held.push(key);
            state.asked.extend(action(key));
        } else if !down {
            state.held.retain(|&other| other != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_action_and_others_have_none() {
        let expected = [
            (Key::Q, Action::Quit),
            (Key::Escape, Action::Quit),
            (Key::Space, Action::Pause),
            (Key::M, Action::Mirror),
            (Key::S, Action::Snapshot),
            (Key::R, Action::Record),
            (Key::O, Action::Style),
            (Key::L, Action::Latency),
        ];
        assert!(expected.into_iter().all(|(key, does)| action(key) == Some(does)));
        assert_eq!(action(Key::A), None);
    }

    #[test]
    fn a_key_that_is_held_asks_once_and_quick_presses_are_not_lost() {
        let keys = Keys::default();
        let mut callback = keys.clone();
        for down in [true, true, true, false, true, false] {
            callback.set_key_state(Key::M, down);
        }
        callback.set_key_state(Key::Escape, true);
        let asked: Vec<_> = std::iter::from_fn(|| keys.next()).collect();
        assert_eq!(asked, [Action::Mirror, Action::Mirror, Action::Quit]);
    }
}
