//! The addresses of the dashboard. All of them only read.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use maud::html;

use super::access::{Access, guard};
use super::board::Board;
use super::events::{Followed, follow};
use crate::error::Result;
use crate::network::diagram;
use crate::report::page::{SCRIPT, TrialPage, document, studies, style, trial};
use crate::report::view::Select;

pub(super) fn router(board: Arc<Board>, access: Arc<Access>) -> Router {
    let style: Arc<str> = style().into();
    Router::new()
        .route("/", get(all))
        .route("/events", get(all_events))
        .route("/sections", get(all_sections))
        .route("/studies/{id}", get(study))
        .route("/studies/{id}/events", get(study_events))
        .route("/studies/{id}/sections", get(study_sections))
        .route("/studies/{id}/trials/{number}", get(one_trial))
        .route("/studies/{id}/trials/{number}/{name}", get(trial_file))
        .route(
            "/app.js",
            get(async || typed("text/javascript; charset=utf-8", SCRIPT.to_string())),
        )
        .route(
            "/style.css",
            get(async move || typed("text/css; charset=utf-8", style.to_string())),
        )
        .fallback(async || not_found("no such page"))
        .with_state(board)
        .layer(from_fn_with_state(access, guard))
}

type Here = State<Arc<Board>>;

fn typed(kind: &'static str, body: impl IntoResponse) -> Response {
    ([(CONTENT_TYPE, kind)], body).into_response()
}

fn json(value: &impl serde::Serialize) -> Response {
    // A map of strings always is JSON.
    typed(
        "application/json",
        serde_json::to_string(value).unwrap_or_default(),
    )
}

fn not_found(what: &str) -> Response {
    let page = html! { main.single id="main" { h1 { "Not found" } p { (what) } p { a href="/" { "All studies" } } } };
    (
        StatusCode::NOT_FOUND,
        Html(document("not found", None, &page)),
    )
        .into_response()
}

/// Carries out `work`, which asks the store, where it may block, and answers with what it finds.
async fn answer(work: impl FnOnce() -> Result<Option<Response>> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(Some(answer))) => answer,
        Ok(Ok(None)) => not_found("The store has no such study or trial."),
        Ok(Err(error)) => failed(&error.to_string()),
        Err(_) => failed("the page could not be made"),
    }
}

fn failed(error: &str) -> Response {
    tracing::warn!("dashboard: {error}");
    let page =
        html! { main.single id="main" { h1 { "The store does not answer" } pre { (error) } } };
    (
        StatusCode::SERVICE_UNAVAILABLE,
        Html(document("no answer", None, &page)),
    )
        .into_response()
}

async fn all(State(board): Here) -> Response {
    answer(move || {
        let section = studies(&board.store().name(), &board.studies()?);
        let page = html! { main.single id="main" { (section) } };
        let live = ["/events", "/sections", ""].map(String::from);
        Ok(Some(
            Html(document("studies", Some(live), &page)).into_response(),
        ))
    })
    .await
}

async fn all_events(State(board): Here) -> impl IntoResponse {
    follow(board, Followed::All)
}

async fn all_sections(State(board): Here) -> Response {
    answer(move || {
        let section = studies(&board.store().name(), &board.studies()?).into_string();
        let changed = BTreeMap::from([("studies", section)]);
        Ok(Some(json(&changed)))
    })
    .await
}

async fn study(State(board): Here, Path(id): Path<i64>, Query(select): Query<Select>) -> Response {
    answer(move || {
        let Some((name, sections)) = board.page(id, &select)? else {
            return Ok(None);
        };
        let main = html! { main id="main" { @for section in &sections { (section.markup()) } } };
        let live = ["events", "sections", "trials/"].map(|end| format!("/studies/{id}/{end}"));
        let title = crate::report::figures::clipped(&name, 60);
        Ok(Some(
            Html(document(&title, Some(live), &main)).into_response(),
        ))
    })
    .await
}

async fn study_events(State(board): Here, Path(id): Path<i64>) -> impl IntoResponse {
    follow(board, Followed::One(id))
}

/// The parts of a study's page that are not those which the browser has, by their id.
async fn study_sections(
    State(board): Here,
    Path(id): Path<i64>,
    Query(select): Query<Select>,
    headers: HeaderMap,
) -> Response {
    let have = headers
        .get("x-have")
        .and_then(|have| have.to_str().ok())
        .unwrap_or_default();
    let have: BTreeMap<String, String> = have
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(id, hash)| (id.to_string(), hash.to_string()))
        .collect();
    answer(move || {
        let Some((_, sections)) = board.page(id, &select)? else {
            return Ok(None);
        };
        let changed = sections
            .iter()
            .filter(|section| have.get(section.id) != Some(&section.hash));
        let changed: BTreeMap<&str, String> = changed
            .map(|section| (section.id, section.markup().into_string()))
            .collect();
        Ok(Some(json(&changed)))
    })
    .await
}

async fn one_trial(State(board): Here, Path((id, number)): Path<(i64, usize)>) -> Response {
    answer(move || {
        let (Some(kept), Some(found)) = (board.kept(id)?, board.store().trial(id, number)?) else {
            return Ok(None);
        };
        let network = found
            .evaluation
            .as_ref()
            .map(|asked| asked.network.digest());
        let tests = board.store().tests(id)?;
        let tested = tests.iter().find(|tested| Some(tested.network) == network);
        let offers = board.exporter.offers(&found);
        let page = trial(&TrialPage {
            study: (id, &kept.about.name),
            count: kept.trials,
            trial: &found,
            tested,
            offers: &offers,
        });
        let title = format!("trial {number}");
        Ok(Some(Html(document(&title, None, &page)).into_response()))
    })
    .await
}

async fn trial_file(
    State(board): Here,
    Path((id, number, name)): Path<(i64, usize, String)>,
) -> Response {
    answer(move || {
        let Some(trial) = board.store().trial(id, number)? else {
            return Ok(None);
        };
        if name == "network.svg" {
            let Some(asked) = &trial.evaluation else {
                return Ok(None);
            };
            let picture = match diagram::svg(&asked.network) {
                Ok(picture) => picture,
                Err(error) => crate::report::figures::Drawing::empty("Network", &error.to_string())
                    .standalone(),
            };
            // A picture runs no scripts, and has its own style.
            let policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
            let headers = [
                (CONTENT_TYPE, "image/svg+xml"),
                (axum::http::header::CONTENT_SECURITY_POLICY, policy),
            ];
            return Ok(Some((headers, picture).into_response()));
        }
        let Some(bytes) = board.exporter.export(&trial, &name)? else {
            return Ok(None);
        };
        // The name is one of the exporter's own, so it needs no quoting.
        let disposition = format!("attachment; filename=\"trial-{number}-{name}\"");
        let headers = [
            (CONTENT_TYPE, "application/octet-stream".to_string()),
            (CONTENT_DISPOSITION, disposition),
        ];
        Ok(Some((headers, bytes).into_response()))
    })
    .await
}
