package dev.vfio.migration.operator.reconciler;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.admission.AdminNamespaces;
import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.decision.Command;
import dev.vfio.migration.operator.decision.Decision;
import dev.vfio.migration.operator.decision.Decisions;
import dev.vfio.migration.operator.decision.Observation;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.spec.InvalidSpecException;
import dev.vfio.migration.operator.status.FirstSeenTimes;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Any document of a migration, as users write it or as somebody damaged it by hand, is refused in
 * words or decided; and no decision goes back on one that is recorded, or begins what the document
 * does not say.
 */
class DocumentsFuzzTest {
  private static final KubernetesSerialization SERIALIZATION = new KubernetesSerialization();
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
  private static final AdminNamespaces NAMESPACES = AdminNamespaces.of(List.of("default"));
  private static final SessionState[] STATES = SessionState.values();

  /** A spec, or a status, and which sessions the agents report. */
  @FuzzTest(maxDuration = "1h")
  void anyDocumentIsRefusedOrDecided(FuzzedDataProvider data) {
    boolean damagedStatus = data.consumeBoolean();
    Optional<Session> source = session(data, Role.SOURCE);
    Optional<Session> destination = session(data, Role.DESTINATION);
    boolean deletion = data.consumeBoolean();
    String text = new String(data.consumeRemainingAsBytes(), StandardCharsets.UTF_8);
    JsonNode document;
    try {
      document = JSON.readTree(text);
    } catch (JsonProcessingException noJson) {
      // The API server stores nothing else.
      return;
    }
    String spec =
        damagedStatus
            ? """
            {"source": {"nodeName": "a", "device": "vfio-user:x"},
             "destination": {"nodeName": "b", "device": "vfio-user:x"}}
            """
            : document.toString();
    String status = damagedStatus ? document.toString() : "null";
    DeviceMigration migration =
        SERIALIZATION.unmarshal(
            """
            {"apiVersion": "migration.vfio.dev/v1alpha1", "kind": "DeviceMigration",
             "metadata": {"name": "m", "namespace": "default", "uid": "u", "generation": 1},
             "spec": %s, "status": %s}
            """
                .formatted(spec.isEmpty() ? "null" : spec, status.isEmpty() ? "null" : status),
            DeviceMigration.class);
    DeviceMigrationStatus before =
        migration.getStatus() == null ? DeviceMigrationStatus.EMPTY : migration.getStatus();
    if (before.unreadable() != null) {
      assertThat(before.unreadable()).isNotBlank();
      return;
    }
    decided(migration, before, source, destination, deletion);
  }

  private static Optional<Session> session(FuzzedDataProvider data, Role role) {
    SessionState state = data.pickValue(STATES);
    String of = role == Role.SOURCE ? "SOURCE_" : "DESTINATION_";
    return state.name().startsWith(of)
        ? Optional.of(Session.newBuilder().setRole(role).setState(state).build())
        : Optional.empty();
  }

  private static void decided(
      DeviceMigration migration,
      DeviceMigrationStatus before,
      Optional<Session> source,
      Optional<Session> destination,
      boolean deletion) {
    // Of a status without a rate, which is no more than a pretext to meet both.
    Mandate mandate =
        before.rate() == null ? new Mandate.OfLeader(() -> 1) : new Mandate.OfStandby();
    Decision decision;
    try {
      SpecReading spec = SpecReading.of(migration);
      assertThat(spec.settings().source()).isNotEqualTo(spec.settings().destination());
      assertThat(spec.settings().streams()).isPositive();
      decision =
          spec.decide(
              new Observation(
                  NOW,
                  NOW,
                  FirstSeenTimes.NONE.and(before, NOW),
                  "default",
                  NAMESPACES,
                  "u",
                  1,
                  deletion,
                  spec.settings(),
                  before,
                  Optional.empty(),
                  side(Role.SOURCE, spec.settings().source(), source),
                  side(Role.DESTINATION, spec.settings().destination(), destination),
                  Optional.empty(),
                  mandate.leads(),
                  mandate.fencingNumber(before)));
    } catch (InvalidSpecException invalid) {
      assertThat(invalid.getMessage()).isNotBlank();
      decision = Decisions.invalid(NOW, 1, before, invalid);
      assertThat(decision.commands()).isEmpty();
    }
    requireSound(before, decision);
    // What is recorded is what the API server gives back.
    DeviceMigrationStatus again =
        SERIALIZATION.unmarshal(
            SERIALIZATION.asJson(decision.status()), DeviceMigrationStatus.class);
    assertThat(again.unreadable()).isNull();
    assertThat(again.phase()).isEqualTo(decision.status().phase());
    assertThat(again.handover()).isEqualTo(decision.status().handover());
  }

  private static Side side(Role role, DeviceLocation location, Optional<Session> session) {
    return new Side(
        role,
        location,
        new Side.Reachable("10.0.0.1"),
        session,
        Optional.empty(),
        Optional.empty());
  }

  private static void requireSound(DeviceMigrationStatus before, Decision decision) {
    DeviceMigrationStatus after = decision.status();
    Handover was = before.handoverOrUndecided();
    if (was != Handover.UNDECIDED) {
      assertThat(after.handoverOrUndecided()).as("a decision never changes").isEqualTo(was);
    }
    List<Class<?>> commands = decision.commands().stream().<Class<?>>map(Object::getClass).toList();
    if (after.handoverOrUndecided() != Handover.COMMITTED) {
      assertThat(commands).doesNotContain(Command.Activate.class, Command.Commit.class);
    } else {
      assertThat(commands)
          .doesNotContain(
              Command.RollBack.class,
              Command.Cancel.class,
              Command.StartSource.class,
              Command.PrepareDestination.class,
              Command.SwitchOver.class);
    }
    if (after.handoverOrUndecided() == Handover.ROLLED_BACK) {
      assertThat(commands).doesNotContain(Command.StartSource.class, Command.SwitchOver.class);
    }
    if (after.phaseOrPending() == Phase.SUCCEEDED && before.phaseOrPending() != Phase.SUCCEEDED) {
      assertThat(after.handoverOrUndecided()).isEqualTo(Handover.COMMITTED);
    }
    assertThat(after.conditions().stream().map(Condition::message).flatMap(Stream::ofNullable))
        .allSatisfy(message -> assertThat(message.length()).isLessThanOrEqualTo(32768));
  }
}
