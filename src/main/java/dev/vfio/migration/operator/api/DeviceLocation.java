package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;

/** One device on one node. */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
public record DeviceLocation(
    @JsonPropertyDescription("Name of the Kubernetes node. A node agent must run there.")
        @Required
        @Size(min = 1, max = 253)
        @Pattern(DeviceLocation.NODE_NAME)
        String nodeName,
    @JsonPropertyDescription(
            "The device as the node's agent names it: a PCI address (0000:65:00.0), an mdev UUID,"
                + " or a vfio-user socket (vfio-user:NAME).")
        @Required
        @Size(min = 1, max = 80)
        @Pattern(DeviceLocation.DEVICE)
        String device) {

  /** RFC 1123 subdomain, as Kubernetes names nodes. */
  static final String NODE_NAME =
      "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

  /**
   * PCI address, UUID, or a vfio-user socket whose name is an RFC 1123 label. The kernel writes a
   * PCI domain with four digits, and with up to eight where it is larger (as behind Intel's VMD).
   */
  static final String DEVICE =
      "^(([0-9a-f]{4}|[1-9a-f][0-9a-f]{4,7}):[0-9a-f]{2}:[01][0-9a-f][.][0-7]"
          + "|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
          + "|vfio-user:[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$";

  @Override
  public String toString() {
    return device + " on " + nodeName;
  }
}
