use std::sync::Arc;

use streamalert_dispatcher::DispatcherHandle;
use streamalert_merger::{MergerHandle, MergerTask};
use streamalert_rules_node::RulesNode;
use streamalert_runtime::Runtime;
use streamalert_types::{Clock, Tracer};
use tokio::task::JoinHandle;

use crate::assembly::{self, Member, Stores};
use crate::failure::Failure;
use crate::project::Project;

/// Everything behind the classifier, in this process, for a command that ends.
pub(crate) struct Pipeline {
    pub(crate) rules: RulesNode,
    pub(crate) merger: MergerHandle,
    pub(crate) dispatcher: DispatcherHandle,
    /// Rule files that did not load.
    pub(crate) not_loaded: Vec<String>,
    runtime: Runtime,
    merger_task: MergerTask,
    dispatcher_task: JoinHandle<()>,
}

impl Pipeline {
    /// Starts it. What an earlier process left undelivered is being delivered when this returns.
    pub(crate) async fn start(
        project: &Project,
        stores: &Stores,
        clock: Arc<dyn Clock>,
        tracer: Tracer,
    ) -> Result<Self, Failure> {
        let (runtime, not_loaded) = assembly::load_rules(project, None, clock.clone()).await?;
        let registry = Box::pin(assembly::registry(project, clock.clone())).await?;
        let letters = stores.dead_letters.clone();
        let (dispatcher, dispatcher_task) = assembly::start_dispatcher(
            project,
            registry,
            Some(runtime.clone()),
            letters.clone(),
            clock.clone(),
            tracer.clone(),
        );
        let mut options =
            assembly::merger_options(&project.settings, &Member::of(&project.settings, &*clock), None);
        options.tracer = tracer.clone();
        let (merger, merger_task) =
            assembly::start_merger(options, stores, Arc::new(dispatcher.clone()), clock.clone()).await?;
        let alerts = Arc::new(merger.clone());
        let rules = assembly::rules_node(project, runtime.clone(), alerts, letters, clock, tracer)?;
        Ok(Self {
            rules,
            merger,
            dispatcher,
            not_loaded,
            runtime,
            merger_task,
            dispatcher_task,
        })
    }

    /// Stops it in the order of the stream. What is not delivered stays in the store.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        self.rules.drain().await;
        self.merger.drain().await;
        self.dispatcher.drain().await;
        self.runtime.shutdown().await;
        let merger = self.merger_task.join().await;
        merger.map_err(|error| Failure::while_doing("the merger failed", error))?;
        let dispatcher = self.dispatcher_task.await;
        dispatcher.map_err(|error| Failure::while_doing("the dispatcher failed", error))
    }
}
