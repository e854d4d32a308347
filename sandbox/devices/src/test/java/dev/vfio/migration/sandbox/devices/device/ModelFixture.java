package dev.vfio.migration.sandbox.devices.device;

import dev.vfio.migration.sandbox.devices.RecordedLog;
import dev.vfio.migration.sandbox.devices.content.StateGeometry;
import dev.vfio.migration.sandbox.devices.fault.ActiveFaults;
import dev.vfio.migration.sandbox.devices.fault.Fault;
import dev.vfio.migration.sandbox.devices.lifecycle.DeviceState;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** A device without sockets and without a workload thread; the test does the steps. */
public final class ModelFixture implements WorkloadSide {
  public final RecordedLog log = new RecordedLog();
  public final ActiveFaults faults = new ActiveFaults(log.log());
  public final DeviceModel device;
  public final ByteBuffer area;
  public boolean held;
  public int changes;

  /** {@code pagesPerStep} dirty so many device pages and window pages a step. */
  public ModelFixture(long stateSize, int areaSize, DmaWindow window, double pagesPerStep) {
    long pace = Math.round(pagesPerStep * (1 << 20));
    DeviceSettings settings =
        new DeviceSettings(
            new StateGeometry(stateSize, 4096), 42, areaSize, 1 << 30, pace, pace, pace);
    device = new DeviceModel(settings, window, faults, log.log());
    device.attach(this);
    area = ByteBuffer.allocateDirect(areaSize);
  }

  /** 1 MiB of state in chunks of up to 64 KiB, three pages a step, no window. */
  public static ModelFixture small() {
    return new ModelFixture(1 << 20, 1 << 16, null, 3);
  }

  /** {@link #small} with a workload that has done some steps. */
  public static ModelFixture running() {
    ModelFixture fixture = small();
    fixture.device.powerOn();
    fixture.steps(50);
    return fixture;
  }

  public void steps(int count) {
    for (int done = 0; done < count; done++) {
      device.step();
    }
  }

  public ModelFixture to(DeviceState... states) throws RefusalException {
    for (DeviceState state : states) {
      device.transition(state.wire());
    }
    return this;
  }

  public void fault(String notation) {
    faults.add(Fault.parse(notation));
  }

  /** The next chunk; empty if there is none now. */
  public ByteBuffer stage() throws RefusalException {
    int size = device.stage(0, area);
    return ByteBuffer.allocate(size).put(area.slice(0, size)).flip();
  }

  /** All chunks that there are now. */
  public List<ByteBuffer> stageAll() throws RefusalException {
    List<ByteBuffer> chunks = new ArrayList<>();
    for (ByteBuffer chunk = stage(); chunk.hasRemaining(); chunk = stage()) {
      chunks.add(chunk);
    }
    return chunks;
  }

  /** Takes the device from RUNNING through a save without PRECOPY; its whole state in chunks. */
  public List<ByteBuffer> save() throws RefusalException {
    to(DeviceState.SETUP, DeviceState.STOPNCOPY);
    return stageAll();
  }

  public void loadAll(List<ByteBuffer> chunks) throws RefusalException {
    for (ByteBuffer chunk : chunks) {
      device.load(chunk.duplicate());
    }
  }

  @Override
  public boolean holdsDevice() {
    return held;
  }

  @Override
  public void deviceChanged() {
    changes++;
  }

  @Override
  public void deviceReset() {
    changes++;
  }
}
