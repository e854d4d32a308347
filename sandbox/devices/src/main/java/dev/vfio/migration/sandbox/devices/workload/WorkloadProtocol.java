package dev.vfio.migration.sandbox.devices.workload;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.vfio.migration.sandbox.devices.device.DeviceModel;
import dev.vfio.migration.sandbox.devices.device.DmaWindow;
import dev.vfio.migration.sandbox.devices.lines.JsonObjects;
import dev.vfio.migration.sandbox.devices.lines.LineProtocol;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;

/** The workload protocol, version 1: describe, pause, resume, take, release. */
public final class WorkloadProtocol implements LineProtocol {
  private static final int VERSION = 1;
  private static final String WORKLOAD = "counter";

  private final String deviceName;
  private final DeviceModel device;
  private final SimulatedWorkload workload;

  public WorkloadProtocol(String deviceName, DeviceModel device, SimulatedWorkload workload) {
    this.deviceName = deviceName;
    this.device = device;
    this.workload = workload;
  }

  @Override
  public void answer(Map<String, Object> request, JsonGenerator reply)
      throws IOException, RefusalException {
    String operation = JsonObjects.text(request, "op");
    switch (operation) {
      case "describe" -> describe(reply);
      case "pause" -> workload.pause(key(request));
      case "resume" -> workload.resume(key(request));
      case "take" -> workload.take(key(request));
      case "release" -> workload.release(key(request));
      default ->
          throw new RefusalException(
              Errno.EINVAL,
              "there is no operation '"
                  + operation
                  + "'; there are describe, pause, resume, take, release");
    }
  }

  private void describe(JsonGenerator reply) throws IOException {
    reply.writeNumberField("protocol", VERSION);
    reply.writeStringField("workload", WORKLOAD);
    reply.writeStringField("state", workload.state().notation());
    reply.writeStringField("device", deviceName);
    reply.writeArrayFieldStart("windows");
    Optional<DmaWindow> window = device.window();
    if (window.isPresent()) {
      reply.writeStartObject();
      reply.writeStringField("name", window.get().name());
      reply.writeNumberField("iova", DmaWindow.ADDRESS);
      reply.writeNumberField("size", window.get().size());
      reply.writeStringField("file", window.get().file().toString());
      // The device model itself writes this memory, and it logs every write.
      reply.writeBooleanField("logged", true);
      reply.writeEndObject();
    }
    reply.writeEndArray();
  }

  private static MigrationKey key(Map<String, Object> request) throws RefusalException {
    return MigrationKey.parse(JsonObjects.text(request, "migration"));
  }
}
