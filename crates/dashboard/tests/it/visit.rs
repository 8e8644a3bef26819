//! A browser without a screen: requests to the router, with cookies.

use access::{Action, Role};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response, StatusCode, header},
};
use desk::NewUser;
use echo_core::CustomerId;
use tower::ServiceExt as _;

use crate::device::House;

/// More than any page has.
const MAX_PAGE: usize = 4 * 1024 * 1024;

/// Somebody with a browser.
pub struct Browser {
    router: Router,
    /// The access cookie's value; empty for a stranger.
    pub access: String,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }

    pub fn cookies(&self) -> Vec<&str> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|c| c.to_str().unwrap()).collect()
    }

    /// The value of a cookie that the answer sets.
    pub fn cookie(&self, name: &str) -> String {
        let start = format!("{name}=");
        let line = self.cookies().into_iter().find(|c| c.starts_with(&start)).expect(name);
        line[start.len()..].split(';').next().unwrap().to_owned()
    }
}

impl Browser {
    pub fn stranger(house: &House) -> Self {
        Self { router: dashboard::router(house.desk.clone()), access: String::new() }
    }

    /// The operator's admin.
    pub async fn operator(house: &House) -> Self {
        Self::person(house, Role::OperatorAdmin, None).await
    }

    /// Somebody who works on cases for the operator.
    pub async fn technician(house: &House) -> Self {
        Self::person(house, Role::Technician, None).await
    }

    /// A person of a customer.
    pub async fn customer(house: &House, customer: &CustomerId) -> Self {
        Self::person(house, Role::Customer, Some(customer.clone())).await
    }

    async fn person(house: &House, role: Role, customer: Option<CustomerId>) -> Self {
        house.operator.require(Action::ManageUsers).unwrap();
        let new = NewUser { name: "Zoë".to_owned(), role, customer };
        let user = house.desk.add_user(&house.call(), new).await.unwrap();
        let link = house.desk.make_sign_in_link(&house.call(), &user.id).await.unwrap();
        let tokens = house.desk.sign_in(&link.secret).await.unwrap();
        Self { access: tokens.access_token, ..Self::stranger(house) }
    }

    pub async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header(header::COOKIE, format!("echo_access={}", self.access));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// The page at `path`, which must be there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.text
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, MAX_PAGE).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}
