//! What opens engines that want to know who we are.

use secrecy::ExposeSecret as _;

use super::tree::Tree;
use super::typed::Described;
use crate::clients::EngineKeys;
use crate::clients::docker::EngineTls;
use crate::clients::secrets::SecretResolver;
use crate::model::problem::Problem;
use crate::model::secret::{Redactor, SecretRef};
use crate::skills::host::spec::HostSpec;

/// What opens the engines that are reached by `tcp://`. Without a value of one secret, that engine is not opened.
pub fn engine_keys(
    hosts: &[Described<HostSpec>],
    state: &Tree,
    secrets: &SecretResolver,
    redactor: &mut Redactor,
    problems: &mut Vec<Problem>,
) -> EngineKeys {
    let mut keys = EngineKeys::new();
    for host in hosts {
        let engine = &host.resource.spec.engine;
        let Some(tls) = &engine.tls else { continue };
        let mut value = |field: &str, reference: &SecretRef| {
            secrets.resolve(reference, state).map_err(|err| {
                let why = format!("is not opened: `tls.{field}` has no value: {err}");
                let pointer = format!("/spec/engine/tls/{field}");
                problems.push(host.key(&pointer).warning("secret-without-value", why.clone()));
                why
            })
        };
        let (ca, certificate) = (value("caFrom", &tls.ca_from), value("certFrom", &tls.cert_from));
        let key = value("keyFrom", &tls.key_from);
        if let Ok(key) = &key {
            redactor.learn(key.expose_secret());
        }
        let found = ca.and_then(|ca| Ok(EngineTls { ca, certificate: certificate?, key: key? }));
        keys.insert(engine.endpoint.clone(), found);
    }
    keys
}
