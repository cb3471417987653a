use std::sync::Arc;

use async_trait::async_trait;
use streamalert_proto::v1::{self, admin_client};
use streamalert_proto::{Admin, AdminError, AdminRequest};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use crate::{ClientOptions, MESSAGE_BYTES_MAX, dial};

type Answer = Result<Response<v1::AdminReply>, Status>;

/// Serves a process's answers to the command line over gRPC.
pub struct AdminServer {
    admin: Arc<dyn Admin>,
}

impl AdminServer {
    /// Serves `admin`.
    #[must_use]
    pub fn new(admin: Arc<dyn Admin>) -> Self {
        Self { admin }
    }

    async fn answer(&self, request: AdminRequest) -> Answer {
        match self.admin.ask(request).await {
            Ok(json) => Ok(Response::new(v1::AdminReply { json })),
            Err(AdminError::NotFound { what }) => Err(Status::not_found(what)),
            Err(AdminError::Invalid { reason }) => Err(Status::invalid_argument(reason)),
            Err(AdminError::Unavailable { reason }) => Err(Status::unavailable(reason)),
        }
    }
}

#[async_trait]
impl v1::admin_server::Admin for AdminServer {
    async fn list_alerts(&self, request: Request<v1::ListAlertsRequest>) -> Answer {
        self.answer(AdminRequest::ListAlerts(request.into_inner())).await
    }

    async fn show_alert(&self, request: Request<v1::ShowAlertRequest>) -> Answer {
        self.answer(AdminRequest::ShowAlert(request.into_inner())).await
    }

    async fn list_dead_letters(&self, request: Request<v1::ListDeadLettersRequest>) -> Answer {
        self.answer(AdminRequest::ListDeadLetters(request.into_inner()))
            .await
    }

    async fn show_dead_letter(&self, request: Request<v1::ShowDeadLetterRequest>) -> Answer {
        self.answer(AdminRequest::ShowDeadLetter(request.into_inner()))
            .await
    }

    async fn replay_dead_letters(&self, request: Request<v1::ReplayDeadLettersRequest>) -> Answer {
        self.answer(AdminRequest::ReplayDeadLetters(request.into_inner()))
            .await
    }

    async fn rule_stats(&self, request: Request<v1::RuleStatsRequest>) -> Answer {
        self.answer(AdminRequest::RuleStats(request.into_inner())).await
    }

    async fn service_stats(&self, request: Request<v1::ServiceStatsRequest>) -> Answer {
        self.answer(AdminRequest::ServiceStats(request.into_inner()))
            .await
    }

    async fn flush_groups(&self, request: Request<v1::FlushGroupsRequest>) -> Answer {
        self.answer(AdminRequest::FlushGroups(request.into_inner())).await
    }

    async fn status(&self, request: Request<v1::StatusRequest>) -> Answer {
        self.answer(AdminRequest::Status(request.into_inner())).await
    }
}

/// A running process, as the command line sees it over the network.
pub struct AdminClient {
    client: admin_client::AdminClient<Channel>,
}

impl AdminClient {
    /// Connects; of `options` the address, TLS, dialer and connect timeout count.
    ///
    /// # Errors
    /// [`AdminError::Unavailable`]: nobody answers there, or TLS refuses.
    pub async fn connect(options: &ClientOptions) -> Result<Self, AdminError> {
        let unreachable = |reason| AdminError::Unavailable {
            reason: format!("{}: {reason}", options.address),
        };
        let connect = tokio::time::timeout(options.connect_timeout, dial::connect(options));
        let channel = connect
            .await
            .map_err(|_| unreachable("no answer in time".to_owned()))?;
        let client = admin_client::AdminClient::new(channel.map_err(unreachable)?);
        Ok(Self {
            client: client.max_decoding_message_size(MESSAGE_BYTES_MAX),
        })
    }
}

#[async_trait]
impl Admin for AdminClient {
    async fn ask(&self, request: AdminRequest) -> Result<String, AdminError> {
        let mut client = self.client.clone();
        let answer = match request {
            AdminRequest::ListAlerts(request) => client.list_alerts(request).await,
            AdminRequest::ShowAlert(request) => client.show_alert(request).await,
            AdminRequest::ListDeadLetters(request) => client.list_dead_letters(request).await,
            AdminRequest::ShowDeadLetter(request) => client.show_dead_letter(request).await,
            AdminRequest::ReplayDeadLetters(request) => client.replay_dead_letters(request).await,
            AdminRequest::RuleStats(request) => client.rule_stats(request).await,
            AdminRequest::ServiceStats(request) => client.service_stats(request).await,
            AdminRequest::FlushGroups(request) => client.flush_groups(request).await,
            AdminRequest::Status(request) => client.status(request).await,
        };
        match answer {
            Ok(reply) => Ok(reply.into_inner().json),
            Err(status) => Err(error_of(&status)),
        }
    }
}

fn error_of(status: &Status) -> AdminError {
    let text = status.message().to_owned();
    match status.code() {
        Code::NotFound => AdminError::NotFound { what: text },
        Code::InvalidArgument | Code::Unimplemented | Code::OutOfRange => {
            AdminError::Invalid { reason: text }
        }
        _ => AdminError::Unavailable { reason: text },
    }
}
