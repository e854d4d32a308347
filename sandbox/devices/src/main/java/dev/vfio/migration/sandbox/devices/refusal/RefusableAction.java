package dev.vfio.migration.sandbox.devices.refusal;

/** Something that the device does where it is asked for it, or refuses. */
@FunctionalInterface
public interface RefusableAction {
  void perform() throws RefusalException;
}
