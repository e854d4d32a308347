package dev.vfio.migration.operator.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One odd object must not keep the informer from listing, and the operator from starting. */
class OddObjectsTest {
  private final KubernetesSerialization serialization = new KubernetesSerialization();

  private DeviceMigration read(String spec, String status) {
    return serialization.unmarshal(
        """
        {"apiVersion": "migration.vfio.dev/v1alpha1", "kind": "DeviceMigration",
         "metadata": {"name": "odd", "namespace": "default"}, "spec": %s, "status": %s}
        """
            .formatted(spec, status),
        DeviceMigration.class);
  }

  @Test
  void unknownFieldsAreIgnored() {
    DeviceMigration migration =
        read(
            """
            {"source": {"nodeName": "a", "device": "vfio-user:x", "slot": 3}, "destination": {"nodeName": "b",
             "device": "vfio-user:x"}, "colour": "red", "convergence": {"leeway": {"deep": [1]}}}
            """,
            """
            {"phase": "PreCopy", "mood": "good", "conditions": [{"type": "Validated", "status": "True", "reason": "Valid",
             "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z", "weather": 1}]}
            """);
    assertThat(migration.getSpec().unreadable()).isNull();
    assertThat(migration.getSpec().source()).isEqualTo(new DeviceLocation("a", "vfio-user:x"));
    assertThat(migration.getStatus().unreadable()).isNull();
    assertThat(migration.getStatus().phase()).isEqualTo(Phase.PRE_COPY);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"convergence\": {\"mode\": \"Lukewarm\"}}",
        "{\"source\": [1, 2]}",
        "{\"source\": \"node-a\"}",
        "{\"cancel\": {\"really\": true}}",
        "{\"cancel\": \"perhaps\"}",
        "{\"transfer\": {\"streams\": \"many\"}}",
        "{\"transfer\": {\"bandwidthLimit\": {\"a\": 1}}}",
        "{\"ttlSecondsAfterFinished\": 99999999999}",
        "{\"timeouts\": {\"preparing\": {}}}",
        "[]",
        "\"text\"",
        "3"
      })
  void aSpecThatCannotBeReadSaysSo(String spec) {
    DeviceMigration migration = read(spec, "null");
    assertThat(migration.getSpec().unreadable()).isNotBlank();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"phase\": \"Teleporting\"}",
        "{\"handover\": \"Perhaps\"}",
        "{\"conditions\": {\"Validated\": true}}",
        "{\"pending\": 12}",
        "{\"phaseTransitions\": [3]}",
        "{\"transferredBytes\": \"lots\"}",
        "[1]"
      })
  void aStatusThatCannotBeReadSaysSo(String status) {
    DeviceMigration migration = read("{}", status);
    assertThat(migration.getStatus().unreadable()).isNotBlank();
  }

  @Test
  void oneOddObjectDoesNotSpoilTheList() {
    String odd =
        """
        {"metadata": {"name": "odd"}, "spec": {"convergence": {"mode": "Lukewarm"}}, "status": {"phase": "Teleporting"}}
        """;
    String plain = "{\"metadata\": {\"name\": \"plain\"}, \"spec\": {\"cancel\": true}}";
    DeviceMigrationList list =
        serialization.unmarshal(
            "{\"apiVersion\": \"migration.vfio.dev/v1alpha1\", \"kind\": \"DeviceMigrationList\", \"items\": [%s, %s]}"
                .formatted(odd, plain),
            DeviceMigrationList.class);
    assertThat(list.getItems()).hasSize(2);
    assertThat(list.getItems().get(0).getSpec().unreadable()).contains("Lukewarm");
    assertThat(list.getItems().get(1).getSpec().cancel()).isTrue();
  }

  @Test
  void missingAndNullSpecAndStatusAreRead() {
    DeviceMigration migration =
        serialization.unmarshal("{\"metadata\": {\"name\": \"bare\"}}", DeviceMigration.class);
    assertThat(migration.getMetadata().getName()).isEqualTo("bare");
    assertThat(read("null", "null").getMetadata().getName()).isEqualTo("odd");
  }

  @Test
  void whatIsWrittenIsReadAgainAndSaysNothingOfReading() {
    DeviceMigrationStatus status =
        new DeviceMigrationStatus(
            Phase.SWITCHING_OVER,
            3L,
            1,
            Handover.UNDECIDED,
            null,
            "STOPNCOPY",
            "RESUME",
            "FEATURE_V2",
            new PendingBytes(1, 2, 3, 4, 10, "10"),
            50,
            100L,
            "1Mi/s",
            1048576L,
            7L,
            2L,
            "87ms",
            null,
            null,
            new Touched(true, true),
            "1152921504606846977",
            new SwitchoverStart(5, 6),
            List.of(new PhaseTransition(Phase.PENDING, "2026-01-01T00:00:00Z")),
            List.of(
                new Condition(
                    "Validated",
                    Condition.Status.TRUE,
                    "Valid",
                    "fine",
                    "2026-01-01T00:00:00Z",
                    3L)),
            null);
    DeviceMigration migration = new DeviceMigration();
    migration.getMetadata().setName("written");
    migration.setStatus(status);
    String json = serialization.asJson(migration);
    assertThat(json)
        .contains("\"SwitchingOver\"")
        .contains("\"True\"")
        .doesNotContain("unreadable");
    assertThat(serialization.unmarshal(json, DeviceMigration.class).getStatus()).isEqualTo(status);
  }
}
