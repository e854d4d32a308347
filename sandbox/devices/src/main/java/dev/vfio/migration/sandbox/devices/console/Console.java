package dev.vfio.migration.sandbox.devices.console;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.vfio.migration.sandbox.devices.device.AuditResult;
import dev.vfio.migration.sandbox.devices.device.DeviceModel;
import dev.vfio.migration.sandbox.devices.device.DeviceSnapshot;
import dev.vfio.migration.sandbox.devices.fault.ActiveFaults;
import dev.vfio.migration.sandbox.devices.fault.Fault;
import dev.vfio.migration.sandbox.devices.gate.Gate;
import dev.vfio.migration.sandbox.devices.lines.JsonObjects;
import dev.vfio.migration.sandbox.devices.lines.LineProtocol;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import dev.vfio.migration.sandbox.devices.workload.Auditor;
import dev.vfio.migration.sandbox.devices.workload.SimulatedWorkload;
import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToLongFunction;

/**
 * What a sandbox may ask of a simulated device that nobody can ask of a real one: status, fault,
 * clear-faults, gate, rates, verify, stop.
 */
public final class Console implements LineProtocol {
  private final DeviceModel device;
  private final SimulatedWorkload workload;
  private final ActiveFaults faults;
  private final Auditor auditor;
  private final Map<String, Gate> gates;
  private final ToLongFunction<String> perStep;
  private final Runnable stop;

  /**
   * @param gates of the other sockets, by their names without {@code .sock}
   * @param perStep turns a rate such as 8MiB/s into the fixed-point pages a step that meet it
   * @param stop asks the process to end; returns before it does
   */
  public Console(
      DeviceModel device,
      SimulatedWorkload workload,
      ActiveFaults faults,
      Auditor auditor,
      Map<String, Gate> gates,
      ToLongFunction<String> perStep,
      Runnable stop) {
    this.device = device;
    this.workload = workload;
    this.faults = faults;
    this.auditor = auditor;
    this.gates = Map.copyOf(gates);
    this.perStep = perStep;
    this.stop = stop;
  }

  @Override
  public void answer(Map<String, Object> request, JsonGenerator reply)
      throws IOException, RefusalException {
    String operation = JsonObjects.text(request, "op");
    switch (operation) {
      case "status" -> status(reply);
      case "fault" -> addFault(JsonObjects.text(request, "spec"));
      case "clear-faults" -> faults.clear();
      case "gate" -> setGate(request);
      case "rates" -> changeRates(request);
      case "verify" -> verify(reply);
      case "stop" -> {}
      default ->
          throw new RefusalException(
              Errno.EINVAL,
              "there is no operation '"
                  + operation
                  + "'; there are status, fault, clear-faults, gate, rates, verify, stop");
    }
  }

  @Override
  public void answered(Map<String, Object> request) {
    if ("stop".equals(request.get("op"))) {
      stop.run();
    }
  }

  private void status(JsonGenerator reply) throws IOException {
    DeviceSnapshot status = device.status();
    reply.writeStringField("state", status.state().name());
    reply.writeStringField("workload", workload.state().notation());
    reply.writeBooleanField("holdsState", status.holdsState());
    reply.writeNumberField("step", status.step());
    reply.writeStringField("chain", String.format("%016x", status.chain()));
    reply.writeObjectFieldStart("pending");
    reply.writeNumberField("precopyOnly", status.pending().precopyOnly());
    reply.writeNumberField("compatible", status.pending().compatible());
    reply.writeNumberField("postcopyOnly", status.pending().postcopyOnly());
    reply.writeEndObject();
    reply.writeNumberField("bytesOut", status.bytesOut());
    reply.writeNumberField("bytesIn", status.bytesIn());
    reply.writeNumberField("missingPages", status.missingPages());
    reply.writeNumberField("dirtyWindowPages", status.dirtyWindowPages());
    reply.writeArrayFieldStart("faults");
    for (String fault : faults.notations()) {
      reply.writeString(fault);
    }
    reply.writeEndArray();
  }

  private void addFault(String notation) throws RefusalException {
    try {
      faults.add(Fault.parse(notation));
    } catch (IllegalArgumentException e) {
      throw new RefusalException(Errno.EINVAL, e.getMessage());
    }
  }

  private void setGate(Map<String, Object> request) throws RefusalException {
    Gate gate = gates.get(JsonObjects.text(request, "socket"));
    String manner = JsonObjects.text(request, "manner");
    if (gate == null) {
      throw new RefusalException(Errno.EINVAL, "there are gates for " + gates.keySet());
    }
    gate.set(
        Arrays.stream(Gate.Manner.values())
            .filter(it -> it.name().toLowerCase(Locale.ROOT).equals(manner))
            .findFirst()
            .orElseThrow(
                () -> new RefusalException(Errno.EINVAL, "a gate is open, silent or shut")));
  }

  private void changeRates(Map<String, Object> request) throws RefusalException {
    String deviceRate = JsonObjects.text(request, "dirty");
    String windowRate = JsonObjects.text(request, "memory");
    try {
      device.changePace(perStep.applyAsLong(deviceRate), perStep.applyAsLong(windowRate));
    } catch (IllegalArgumentException e) {
      throw new RefusalException(Errno.EINVAL, e.getMessage());
    }
  }

  private void verify(JsonGenerator reply) throws IOException, RefusalException {
    AuditResult found = auditor.complete(device.audit(), "verify");
    reply.writeStringField("continuity", found.ok() ? "ok" : "broken");
    reply.writeStringField("detail", found.detail());
    reply.writeNumberField("step", found.step());
    reply.writeNumberField("pages", found.pages());
    reply.writeNumberField("bytes", found.bytes());
  }
}
