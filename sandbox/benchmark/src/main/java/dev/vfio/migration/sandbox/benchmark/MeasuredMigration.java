package dev.vfio.migration.sandbox.benchmark;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.sandbox.cluster.DevicePair;
import dev.vfio.migration.sandbox.cluster.DeviceShape;
import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceEvent;
import dev.vfio.migration.sandbox.cluster.evidence.HandoverEvidence;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.GenericKubernetesResourceBuilder;
import io.fabric8.kubernetes.client.dsl.Resource;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * One migration through operator, agents and devices, as a user starts it, with its times. The
 * times of the devices are those of their own logs.
 *
 * @param shape of the device
 * @param appliedToSucceededNanos from the apply until status.phase was Succeeded
 * @param downtimeNanos from the pause of the workload to RUNNING at the destination
 * @param copyNanos from STOPNCOPY at the source to RESUME_COMPLETED at the destination
 * @param transferredBytes payload of the state stream
 * @param verified whether the destination verified everything it got
 */
record MeasuredMigration(
    DeviceShape shape,
    long appliedToSucceededNanos,
    long downtimeNanos,
    long copyNanos,
    long transferredBytes,
    boolean verified) {
  private static final long BOUND_MINUTES = 15;

  /** How a migration is done. */
  enum Mode {
    Live,
    Cold
  }

  /** Moves a new device of that shape and ends its processes. */
  static MeasuredMigration run(SandboxCluster cluster, DeviceShape shape, Mode mode, int streams)
      throws IOException, InterruptedException {
    DevicePair pair = cluster.devices(shape, shape);
    try {
      return migrate(cluster, pair, mode, streams);
    } finally {
      pair.end();
    }
  }

  private static MeasuredMigration migrate(
      SandboxCluster cluster, DevicePair pair, Mode mode, int streams) throws IOException {
    ObjectMapper json = new ObjectMapper();
    Resource<GenericKubernetesResource> migration =
        cluster.client().resource(object(pair.shape(), mode, streams));
    long begin = System.nanoTime();
    migration.serverSideApply();
    GenericKubernetesResource last =
        migration.waitUntilCondition(
            object -> object != null && ended(json.valueToTree(object)),
            BOUND_MINUTES,
            TimeUnit.MINUTES);
    long end = System.nanoTime();
    JsonNode status = json.valueToTree(last).path("status");
    if (!status.path("phase").asText().equals("Succeeded")) {
      throw new IOException(
          "the migration of "
              + pair.shape().stateSize()
              + " bytes ended as "
              + status.path("phase").asText()
              + ": "
              + status.path("conditions"));
    }
    HandoverEvidence evidence = pair.evidence();
    if (!evidence.violations().isEmpty()) {
      throw new IOException("the handover broke its rules: " + evidence.violations());
    }
    return new MeasuredMigration(
        pair.shape(),
        end - begin,
        evidence.downtimeNanos().orElseThrow(),
        entry(evidence.destination(), "RESUME_COMPLETED") - entry(evidence.source(), "STOPNCOPY"),
        status.path("transferredBytes").asLong(),
        pair.destination().console().verify().ok());
  }

  private static boolean ended(JsonNode object) {
    return switch (object.path("status").path("phase").asText()) {
      case "Succeeded", "Failed", "Cancelled", "ActionRequired" -> true;
      default -> false;
    };
  }

  private static long entry(List<DeviceEvent> log, String state) throws IOException {
    return log.stream()
        .filter(event -> event.entersState(state))
        .mapToLong(DeviceEvent::nanos)
        .findFirst()
        .orElseThrow(() -> new IOException("no device was ever in " + state));
  }

  private static GenericKubernetesResource object(DeviceShape shape, Mode mode, int streams) {
    return new GenericKubernetesResourceBuilder()
        .withApiVersion("migration.vfio.dev/v1alpha1")
        .withKind("DeviceMigration")
        .withNewMetadata()
        .withName("bench-" + shape.name())
        .withNamespace("default")
        .endMetadata()
        .addToAdditionalProperties(
            "spec",
            Map.of(
                "source",
                Map.of("nodeName", SandboxCluster.SOURCE_NODE, "device", shape.id()),
                "destination",
                Map.of("nodeName", SandboxCluster.DESTINATION_NODE, "device", shape.id()),
                "convergence",
                Map.of("mode", mode.name()),
                "timeouts",
                Map.of("switchingOver", "10m"),
                "transfer",
                Map.of("streams", streams)))
        .build();
  }

  /** Device state per second while the device stood still. */
  double bytesPerSecond() {
    return shape.stateSize() / (copyNanos / 1e9);
  }
}
