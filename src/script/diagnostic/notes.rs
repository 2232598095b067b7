//! What can be said of an error besides its message: the very word that it is about, what may have been meant, which
//! arguments a call takes.

use rhai::AST;

use super::cause::Cause;
use super::names::{Mismatch, Names, Told, did_you_mean, foreign, functions_of};
use super::scene::{self, Place};
use super::{Call, Diagnostic, syntax, text};
use crate::error::nearest;
use crate::script::modules::Sources;
use crate::script::reference::Reference;

/// Says all that the sources and the reference can say of `diagnostic`.
pub(super) fn explain(mut diagnostic: Diagnostic, sources: &Sources) -> Diagnostic {
    let cause = std::mem::replace(&mut diagnostic.cause, Cause::Explained);
    if cause == Cause::Explained {
        return diagnostic;
    }
    as_written(&mut diagnostic, sources);
    let Some(place) = diagnostic.place else {
        return diagnostic;
    };
    let Some(source) = sources.get(&diagnostic.source) else {
        return diagnostic;
    };
    let source = &*source.text;
    let scene = |source: &str| scene::tree(source).unwrap_or_default();
    match cause {
        Cause::Explained => {}
        Cause::Other => diagnostic.place = Some(after_dot(source, place)),
        Cause::Syntax(kind) => {
            let (place, notes) = syntax::explain(&kind, source, place);
            diagnostic.place = Some(place);
            diagnostic.notes = notes;
        }
        Cause::Variable(name) => {
            let plain = name.rsplit("::").next().unwrap_or(&name);
            diagnostic.place = Some(at_word(source, place, plain));
            let known = std::mem::take(&mut diagnostic.known);
            diagnostic.notes = variable(&scene(source), source, place, &name, &known);
        }
        Cause::Module(alias) => {
            diagnostic.place = Some(at_word(source, place, &alias));
            diagnostic.notes = module(&scene(source), &alias);
        }
        Cause::Property { name, of } => {
            diagnostic.place = Some(at_word(source, place, &name));
            let ast = scene(source);
            let reference = Reference::get();
            let names = Names {
                reference,
                own: Vec::new(),
            };
            tell(
                &mut diagnostic,
                names.property(&name, &of, &scene::keys(&ast)),
            );
        }
        Cause::Call { name, types } => {
            let ast = scene(source);
            let told = match name.rsplit_once("::") {
                Some((alias, name)) => of_module(&ast, sources, alias, name, &types),
                None => Some(call(&ast, place, &name, &types)),
            };
            let plain = name.rsplit("::").next().unwrap_or(&name);
            diagnostic.place = Some(at_word(source, place, plain));
            let Some(told) = told else {
                return diagnostic;
            };
            let argument = told.argument.and_then(|argument| {
                scene::at_call(&ast, place, |call, _| {
                    super::chain::place(scene::start(call.args.get(argument)?))
                })
            });
            diagnostic.place = argument.or(diagnostic.place);
            tell(&mut diagnostic, told);
        }
        Cause::Option(name) => {
            diagnostic.place = Some(after_dot(source, place));
            option(&mut diagnostic, sources, &name);
        }
    }
    diagnostic
}

/// Places as they are in the texts that people wrote.
fn as_written(diagnostic: &mut Diagnostic, sources: &Sources) {
    let written = |source: &str, place: &mut Option<Place>| {
        if let (Some(text), Some(at)) = (sources.get(source), place.as_mut()) {
            *at = text.original(*at);
        }
    };
    written(&diagnostic.source, &mut diagnostic.place);
    for call in &mut diagnostic.calls {
        written(&call.source, &mut call.place);
        if let (Some(text), Some(at)) = (sources.get(&call.source), call.place.as_mut()) {
            *at = after_dot(&text.text, *at);
        }
    }
}

fn tell(diagnostic: &mut Diagnostic, told: Told) {
    diagnostic.code = told.code.into();
    diagnostic.message = told.message;
    diagnostic.notes = told.notes;
}

/// The place of `name` at or after `place`, where Rhai points at an operator before it.
fn at_word(source: &str, place: Place, name: &str) -> Place {
    let offset = text::offset(source, place);
    let word = text::next_word(source, offset, name);
    word.map_or(place, |at| text::place(source, at))
}

/// The place of what follows the dot, where there is a dot at `place`.
fn after_dot(source: &str, place: Place) -> Place {
    let offset = text::offset(source, place);
    let rest = &source[offset..];
    let dot = ["?.", "."]
        .into_iter()
        .find(|dot| rest.starts_with(*dot) && !rest.starts_with(".."));
    let Some(dot) = dot else { return place };
    let name = rest[dot.len()..].trim_start();
    match name.starts_with(text::is_word) {
        true => text::place(source, source.len() - name.len()),
        false => place,
    }
}

pub(in crate::script) fn variable(
    ast: &AST,
    source: &str,
    place: Place,
    name: &str,
    known: &[String],
) -> Vec<String> {
    let reach = scene::reach(ast, place);
    if reach.outside.iter().any(|outside| outside == name) {
        return vec![format!(
            "a function does not see the variables of the script: hand '{name}' over as an argument"
        )];
    }
    if let Some(here) = foreign(name) {
        return vec![here];
    }
    let functions = functions_of(ast);
    let functions = functions.iter().map(|(function, _)| function.as_str());
    let visible = reach.visible.iter().chain(known).map(String::as_str);
    if let Some(near) = nearest(name, visible.chain(functions)) {
        return vec![did_you_mean(near)];
    }
    let offset = text::offset(source, place) + name.len();
    let after = source.get(offset..).unwrap_or_default().trim_start();
    if after.starts_with('=') && !after.starts_with("==") {
        return vec![format!("a new variable is made with `let {name} = …`")];
    }
    let reference = Reference::get();
    let names = Names {
        reference,
        own: Vec::new(),
    };
    match names.callable(name).next() {
        Some(_) => vec![format!(
            "'{name}' is a function of the host; wrap it: |x| {name}(x)"
        )],
        None => Vec::new(),
    }
}

pub(in crate::script) fn module(ast: &AST, alias: &str) -> Vec<String> {
    let imports = scene::imports(ast);
    if let Some(near) = nearest(alias, imports.iter().map(|(alias, _)| alias.as_str())) {
        return vec![did_you_mean(near)];
    }
    let library: Vec<String> = crate::script::library().map(|(path, _)| path).collect();
    let short = |path: &String| path.rsplit('/').next() == Some(alias);
    match library.iter().find(|path| short(path)) {
        Some(path) => vec![format!("import it first: import \"{path}\" as {alias};")],
        None => Vec::new(),
    }
}

/// A call of the function `name` of the module that is imported as `alias`; none where nothing is known of it. A
/// session may have imported it in an earlier line, by its own name.
fn of_module(
    ast: &AST,
    sources: &Sources,
    alias: &str,
    name: &str,
    types: &[String],
) -> Option<Told> {
    let imports = scene::imports(ast);
    let imported = imports.into_iter().find(|(known, _)| known == alias);
    let path = imported.map_or_else(|| format!("nas/{alias}"), |(_, path)| path);
    let functions = sources.functions(&path);
    (!functions.is_empty()).then(|| module_call(alias, name, types.len(), &functions))
}

/// Says what is wrong with a call of `name`, with so many arguments, where a module has `functions`.
pub(in crate::script) fn module_call(
    alias: &str,
    name: &str,
    given: usize,
    functions: &[(String, Vec<String>)],
) -> Told {
    let forms = functions.iter().filter(|(function, _)| function == name);
    let forms: Vec<String> = forms
        .map(|(_, p)| format!("{alias}::{name}({})", p.join(", ")))
        .collect();
    if !forms.is_empty() {
        let plural = if given == 1 { "argument" } else { "arguments" };
        return Told {
            code: "wrong-arguments",
            message: format!("'{alias}::{name}' does not take {given} {plural}"),
            notes: forms
                .iter()
                .map(|form| format!("it is called as {form}"))
                .collect(),
            argument: None,
        };
    }
    let all = functions.iter().map(|(function, _)| function.as_str());
    let mut listed: Vec<&str> = all.clone().collect();
    listed.dedup();
    let note = match nearest(name, all) {
        Some(near) => Some(did_you_mean(&format!("{alias}::{near}"))),
        None if listed.is_empty() => None,
        None => Some(format!("'{alias}' has: {}", listed.join(", "))),
    };
    Told {
        code: "unknown-function",
        message: format!("unknown function '{alias}::{name}'"),
        notes: note.into_iter().collect(),
        argument: None,
    }
}

fn call(ast: &AST, place: Place, name: &str, types: &[String]) -> Told {
    let reference = Reference::get();
    let names = Names {
        reference,
        own: functions_of(ast),
    };
    let method = scene::at_call(ast, place, |call, method| {
        (*call.name == *name).then_some(method)
    });
    // Where the place is not that of a call, such as an operator's, it is none of a method.
    let method = method.unwrap_or(false);
    let mut told = names.call(&Mismatch {
        name,
        types,
        method,
    });
    if !method
        && scene::reach(ast, place)
            .visible
            .iter()
            .any(|variable| variable == name)
    {
        told.notes = vec![called_variable(name)];
    }
    told
}

/// What to write where the variable `name` is called as a function.
pub(in crate::script) fn called_variable(name: &str) -> String {
    format!("'{name}' is a variable: the function in it is called as {name}.call(…)")
}

/// Moves to the key `name` of the object that holds the options, in the call or in one of those that led there.
fn option(diagnostic: &mut Diagnostic, sources: &Sources, name: &str) {
    let key = |source: &str, place: Option<Place>| {
        let text = sources.get(source)?;
        scene::key_of_call(&scene::tree(&text.text)?, place?, name)
    };
    if let Some(found) = key(&diagnostic.source, diagnostic.place) {
        diagnostic.place = Some(found);
        return;
    }
    let found = diagnostic
        .calls
        .iter()
        .enumerate()
        .find_map(|(at, call)| Some((at, key(&call.source, call.place)?)));
    let Some((at, found)) = found else { return };
    // The error is about the caller's text; where it was noticed is a step on the way.
    let noticed = Call {
        label: "it is read here".into(),
        source: diagnostic.source.clone(),
        place: diagnostic.place,
    };
    let call = diagnostic.calls[at].clone();
    (diagnostic.source, diagnostic.place) = (call.source, Some(found));
    diagnostic.calls.splice(..=at, [noticed]);
}
