package dev.vfio.migration.vfio.linux;

/** Facts about this machine. */
public final class Host {
  private static final int PAGE_SIZE = LibC.getpagesize();

  private Host() {}

  /** Bytes of one page, which is what the 2018 interface calls a PFN. */
  public static int pageSize() {
    return PAGE_SIZE;
  }
}
