package dev.vfio.migration.operator.certificates;

import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.Resource;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Makes what is missing or due and leaves the rest as it is. The authority is stored before what it
 * signs, so whatever a run that ended early has left, the next one puts right.
 */
final class CertificateSecrets {
  static final String MANAGED_BY = "app.kubernetes.io/managed-by";
  static final String OURS = "vfio-migration-certificates";

  /** Releases up to 0.1.0 had Helm make keys and render them. */
  private static final String HELM = "Helm";

  private static final String PRODUCT = "vfio-migration";
  private static final String TYPE = "kubernetes.io/tls";
  private static final String CERTIFICATE = "tls.crt";
  private static final String KEY = "tls.key";
  private static final String TRUSTED = "ca.crt";

  private final KubernetesClient client;
  private final Request request;
  private final Instant now;
  private final Consumer<String> report;

  /**
   * @param report gets one line for each Secret
   */
  CertificateSecrets(
      KubernetesClient client, Request request, Instant now, Consumer<String> report) {
    this.client = client;
    this.request = request;
    this.now = now;
    this.report = report;
  }

  /** A Secret that only a person may replace: the message says which, why, and how. */
  static final class UnusableSecretException extends Exception {
    private static final long serialVersionUID = 1L;

    UnusableSecretException(String message) {
      super(message);
    }
  }

  /**
   * @throws UnusableSecretException before anything is written
   */
  void ensure() throws GeneralSecurityException, UnusableSecretException {
    Optional<Secret> authoritySecret = find(request.authority());
    Optional<Secret> operatorSecret = find(request.operator());
    Optional<Secret> agentSecret = find(request.agent());
    Authority authority = authority(authoritySecret);
    ensure(operatorSecret, request.operator(), "operator", request.operatorNames(), authority);
    ensure(agentSecret, request.agent(), "node-agent", request.agentNames(), authority);
  }

  private Optional<Secret> find(String name) throws UnusableSecretException {
    Optional<Secret> found = Optional.ofNullable(secret(name).get());
    if (found.isPresent() && !made(found.get(), OURS) && !made(found.get(), HELM)) {
      throw new UnusableSecretException(
          "Secret "
              + name
              + " is somebody else's: neither this job nor an older release of this chart made it,"
              + " by its labels. Nothing was changed. Give both tls.operatorSecret and"
              + " tls.agentSecret to use certificates of your own, or delete it to have one made.");
    }
    return found;
  }

  private Authority authority(Optional<Secret> found)
      throws GeneralSecurityException, UnusableSecretException {
    if (found.isPresent() && made(found.get(), OURS)) {
      Authority kept = readAuthority(found.get());
      if (now.isBefore(kept.own().renewAfter())) {
        report.accept("Secret " + request.authority() + ": kept");
        return kept;
      }
      report.accept("Secret " + request.authority() + ": two thirds of its life are over");
    } else if (found.isPresent()) {
      report.accept(
          "Secret "
              + request.authority()
              + ": replaced, because Helm made its key, which lies in every release Secret since"
              + " then");
    }
    Authority fresh = Authority.create(request.authority(), now);
    write(
        found,
        request.authority(),
        "certificates",
        Map.of(CERTIFICATE, fresh.own().certificatePem(), KEY, fresh.own().keyPem()));
    return fresh;
  }

  /** Damaged is not absent: everybody who trusts this authority would be cut off by another one. */
  private Authority readAuthority(Secret secret) throws UnusableSecretException {
    try {
      Authority authority =
          new Authority(Credential.read(bytes(secret, CERTIFICATE), bytes(secret, KEY)));
      if (authority.own().certificate().getBasicConstraints() < 0) {
        throw new GeneralSecurityException("the certificate is not an authority's");
      }
      return authority;
    } catch (GeneralSecurityException | IllegalArgumentException damaged) {
      throw new UnusableSecretException(
          """
          Secret %s holds no usable authority (%s). Nothing was changed. Restore it, or delete it \
          to have a new authority and new certificates made, while nothing migrates.\
          """
              .formatted(request.authority(), damaged.getMessage()));
    }
  }

  private void ensure(
      Optional<Secret> found,
      String name,
      String component,
      List<String> dnsNames,
      Authority authority)
      throws GeneralSecurityException {
    Optional<String> fault =
        found.isEmpty() ? Optional.of("absent") : fault(found.get(), dnsNames, authority);
    if (fault.isEmpty()) {
      report.accept("Secret " + name + ": kept");
      return;
    }
    Credential fresh = authority.issue(dnsNames, now, request.validity());
    write(
        found,
        name,
        component,
        Map.of(
            TRUSTED,
            authority.own().certificatePem(),
            CERTIFICATE,
            fresh.certificatePem(),
            KEY,
            fresh.keyPem()));
    report.accept(
        "Secret %s: made, because it was %s; valid until %s"
            .formatted(name, fault.get(), fresh.certificate().getNotAfter().toInstant()));
  }

  /** Why a certificate is to be made anew; empty when it is to be kept. */
  private Optional<String> fault(Secret secret, List<String> dnsNames, Authority authority) {
    if (!made(secret, OURS)) {
      return Optional.of("made and rendered by Helm");
    }
    try {
      Credential current = Credential.read(bytes(secret, CERTIFICATE), bytes(secret, KEY));
      if (!authority.signed(current.certificate())
          || !authority
              .own()
              .certificatePem()
              .equals(new String(bytes(secret, TRUSTED), StandardCharsets.US_ASCII))) {
        return Optional.of("of another authority");
      }
      if (!current.isFor(dnsNames)) {
        return Optional.of("for other names");
      }
      return now.isBefore(current.renewAfter()) ? Optional.empty() : Optional.of("due");
    } catch (GeneralSecurityException | IllegalArgumentException damaged) {
      return Optional.of("damaged (" + damaged.getMessage() + ")");
    }
  }

  private static boolean made(Secret secret, String by) {
    Map<String, String> labels = secret.getMetadata().getLabels();
    return labels != null
        && by.equals(labels.get(MANAGED_BY))
        && PRODUCT.equals(labels.get("app.kubernetes.io/name"));
  }

  private static byte[] bytes(Secret secret, String key) {
    String data = secret.getData() == null ? null : secret.getData().get(key);
    if (data == null) {
      throw new IllegalArgumentException(key + " is missing");
    }
    return Base64.getDecoder().decode(data);
  }

  /** Creates it, or replaces the very version that was read. */
  private void write(
      Optional<Secret> replaced, String name, String component, Map<String, String> content) {
    Secret secret =
        new SecretBuilder()
            .withNewMetadata()
            .withName(name)
            .withNamespace(request.namespace())
            .addToLabels("app.kubernetes.io/name", PRODUCT)
            .addToLabels("app.kubernetes.io/component", component)
            .addToLabels(MANAGED_BY, OURS)
            // An upgrade from a release that rendered it must not delete it afterwards.
            .addToAnnotations("helm.sh/resource-policy", "keep")
            .withResourceVersion(
                replaced.map(old -> old.getMetadata().getResourceVersion()).orElse(null))
            .endMetadata()
            .withType(TYPE)
            .build();
    for (Map.Entry<String, String> entry : content.entrySet()) {
      secret
          .getData()
          .put(
              entry.getKey(),
              Base64.getEncoder()
                  .encodeToString(entry.getValue().getBytes(StandardCharsets.US_ASCII)));
    }
    Resource<Secret> resource = client.resource(secret);
    if (replaced.isPresent()) {
      resource.update();
    } else {
      resource.create();
    }
  }

  private Resource<Secret> secret(String name) {
    return client.secrets().inNamespace(request.namespace()).withName(name);
  }
}
