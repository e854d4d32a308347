package dev.vfio.migration.vfio.user;

/** The commands that this client sends. */
enum VfioUserCommand {
  VERSION(1),
  DEVICE_GET_INFO(4),
  DEVICE_GET_REGION_INFO(5),
  REGION_READ(9),
  REGION_WRITE(10),
  DEVICE_RESET(13);

  private final int number;

  VfioUserCommand(int number) {
    this.number = number;
  }

  int number() {
    return number;
  }
}
