//! Retention of the in-memory store.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use super::idempotency::is_live;
use super::memory::{MemoryStore, Model};
use super::retention::{
    ExpiredHistory, ExpiredPage, ExpiredRun, Expiry, ExpiryScan, LastPrune, RemovedHistory,
    RemovedRun, RemovedRuns, Retention, RunHold, RunRemoval,
};
use crate::model::run_record::{RunId, RunRecord};

impl Model {
    fn hold(&self, run: &RunRecord, now: DateTime<Utc>) -> Option<RunHold> {
        if run.undone_by.is_some() {
            return Some(RunHold::Undone);
        }
        let key = run.idempotency_key.clone().map(|key| (run.operation_name.clone(), key));
        let holder = key.and_then(|key| self.keys.get(&key)).map(|(id, _)| *id);
        if is_live(run, now) && holder == Some(run.id) {
            return Some(RunHold::IdempotencyKey);
        }
        let linked = self.runs.iter().filter(|other| other.links().any(|link| link == run.id));
        let linked: Vec<_> = linked.map(|other| other.id).collect();
        (!linked.is_empty()).then_some(RunHold::Linked(linked))
    }

    fn remove(&mut self, id: RunId, request: &RunRemoval) -> Option<RemovedRun> {
        let run = self.runs.iter().find(|run| run.id == id)?.clone();
        let is_held = !request.is_forced && self.hold(&run, request.now).is_some();
        if is_held || !run.state.status().is_final() {
            return None;
        }
        self.runs.retain(|run| run.id != id);
        self.keys.retain(|_, (holder, _)| *holder != id);
        Some(RemovedRun::of(&run))
    }

    /// Returns the indexes of the commits before a time whose changes exist.
    fn expired_commits(&self, before: DateTime<Utc>) -> std::ops::Range<usize> {
        let documents = &self.documents;
        let end = documents.commits.iter().take_while(|(author, _)| author.at < before);
        let end = end.count();
        documents.floor..end.max(documents.floor)
    }
}

#[async_trait]
impl Retention for MemoryStore {
    async fn expired_runs(&self, mut scan: ExpiryScan) -> Result<ExpiredPage, StoreError> {
        let model = self.0.lock().unwrap();
        let is_in_class = |run: &&RunRecord| scan.class.statuses.contains(&run.state.status());
        let class: Vec<_> = model.runs.iter().filter(is_in_class).cloned().collect();
        let mut page = ExpiredPage::default();
        for run in class.iter().filter(|run| run.sequence > scan.after).collect::<Vec<_>>() {
            match scan.visit(run, class.len() as u64) {
                Expiry::Expired => page.runs.push(ExpiredRun {
                    id: run.id,
                    status: run.state.status(),
                    has_links: run.links().next().is_some(),
                    hold: model.hold(run, scan.now),
                }),
                Expiry::Kept => {}
                Expiry::End => break,
            }
        }
        Ok(page)
    }

    async fn hold(&self, id: RunId, now: DateTime<Utc>) -> Result<Option<RunHold>, StoreError> {
        let model = self.0.lock().unwrap();
        Ok(model.runs.iter().find(|run| run.id == id).and_then(|run| model.hold(run, now)))
    }

    async fn remove_runs(&self, request: RunRemoval) -> Result<RemovedRuns, StoreError> {
        let mut model = self.0.lock().unwrap();
        let removed = request.runs.iter().filter_map(|id| model.remove(*id, &request)).collect();
        Ok(RemovedRuns { began: Instant::now(), tried: request.runs.len(), removed })
    }

    async fn expired_history(
        &self,
        before: DateTime<Utc>,
        _: Option<u64>,
    ) -> Result<ExpiredHistory, StoreError> {
        let model = self.0.lock().unwrap();
        let expired = model.expired_commits(before);
        let commits = &model.documents.commits[expired.clone()];
        let changes = commits.iter().map(|(_, changes)| changes.len() as u64);
        let (commits, changes) = (expired.len() as u64, changes.sum());
        Ok(ExpiredHistory { commits, changes, next: None })
    }

    async fn remove_history(
        &self,
        before: DateTime<Utc>,
        _: Duration,
    ) -> Result<RemovedHistory, StoreError> {
        let expired = self.expired_history(before, None).await?;
        let mut model = self.0.lock().unwrap();
        model.documents.floor = model.expired_commits(before).end;
        let ExpiredHistory { commits, changes, .. } = expired;
        Ok(RemovedHistory { began: Instant::now(), commits, changes, is_done: true })
    }

    async fn last_prune(&self) -> Result<Option<LastPrune>, StoreError> {
        Ok(self.0.lock().unwrap().last_prune)
    }

    async fn set_last_prune(&self, last: LastPrune) -> Result<(), StoreError> {
        self.0.lock().unwrap().last_prune = Some(last);
        Ok(())
    }

    fn has_written(&self) -> bool {
        true
    }
}
