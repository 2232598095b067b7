//! Lines: several that are one, colours, hints, history.

use super::terminal::{ALT_ENTER, CTRL_C, CTRL_D, PROMPT, RIGHT, Terminal, UP};
use crate::harness::Place;

#[test]
fn a_variable_lasts_and_ctrl_d_leaves() {
    let mut terminal = Terminal::start();
    terminal.enter("let x = 40 + 2;", "\n");
    terminal.enter("x", "\n42\r\n");
    terminal.leave(CTRL_D);
}

#[test]
fn a_text_may_take_several_lines() {
    let mut terminal = Terminal::start();
    // A function, a text in backquotes, a comment, a closure in a call: each goes on until it is whole.
    terminal.press("fn twice(n) {\r");
    terminal.enter("    2 * n }", "\n");
    terminal.enter("twice(21)", "\n42\r\n");
    terminal.press("let t = `one ${twice(1)\r");
    terminal.enter("} two`; t.len()", "\n9\r\n");
    terminal.press("/* no\r");
    terminal.enter("end */ 5", "\n5\r\n");
    terminal.press("[1, 2].map(|x| {\r");
    terminal.enter("  x * 3 })", "\n\\[3, 6\\]\r\n");
    terminal.press("input([1, 8, 8]).\r");
    terminal.enter("  flatten().dense(10).params", "\n650\r\n");
    // Alt-Enter starts a line before a dot.
    terminal.press("input([1, 8, 8])");
    terminal.press(ALT_ENTER);
    terminal.enter("  .flatten().dense(2).params", "\n130\r\n");
    terminal.leave(CTRL_D);
}

#[test]
fn ctrl_c_at_the_prompt_drops_the_line_and_keeps_the_session() {
    let mut terminal = Terminal::start();
    terminal.enter("let kept = 7;", "\n");
    terminal.press("half a line");
    terminal.sees("half a line");
    terminal.press(CTRL_C);
    terminal.sees(PROMPT);
    terminal.enter("kept", "\n7\r\n");
    terminal.leave(CTRL_D);
}

#[test]
fn the_up_arrow_recalls_the_last_line_across_sessions() {
    let mut terminal = Terminal::start();
    terminal.enter("40 + 2", "\n42\r\n");
    terminal.press(UP);
    terminal.sees("40 \\+ 2");
    terminal.enter("", "\n42\r\n");

    let mut next_day = Terminal::start_in(terminal.leave(CTRL_D));
    next_day.press(UP);
    next_day.sees("40 \\+ 2");
    next_day.enter("", "\n42\r\n");
    next_day.leave(CTRL_D);
}

#[test]
fn words_have_colours_and_history_gives_hints() {
    let mut terminal = Terminal::start_with(Place::new(), &[], &[]);
    terminal.press("let answer = 42; // why\r");
    terminal.sees("\x1b\\[1;35mlet\x1b\\[0m");
    terminal.sees("\x1b\\[36m42\x1b\\[0m");
    terminal.sees("\x1b\\[90m// why");
    // What is typed before there is a prompt may be lost.
    terminal.sees("\r\n");
    terminal.sees(PROMPT);
    terminal.press("(1)");
    terminal.sees("\x1b\\[1;4m\\(");
    terminal.press(CTRL_C);
    terminal.sees("\r\n");
    terminal.sees(PROMPT);
    // The rest of the earlier line is faint; the right arrow takes it.
    terminal.press("let an");
    terminal.sees("\x1b\\[90mswer = 42; // why");
    terminal.press(RIGHT);
    terminal.sees("swer = ");
    terminal.press("\r");
    terminal.sees("\r\n");
    terminal.sees(PROMPT);
    terminal.press("answer\r");
    terminal.sees("\n42\r\n");
    terminal.leave(CTRL_D);
}

#[test]
fn a_plain_terminal_sees_no_colour() {
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut terminal = Terminal::start_with(Place::new(), &[(name, value)], &[]);
        terminal.press("let x = 1; lost\r");
        let seen = terminal.sees("(?s).*unknown variable 'lost'.*nas> ");
        assert!(
            !seen.contains("\x1b[1;35m") && !seen.contains("\x1b[31m"),
            "{seen:?}"
        );
        terminal.leave(CTRL_D);
    }
}
