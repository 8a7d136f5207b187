// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sink of hft (linux/hft_sink.h) for QEMU's "edu" PCI device, as docs/specs/edu.rst of
 * QEMU describes it: an accelerator that computes factorials.
 *
 * A task stands for one factorial: of its cookie modulo 13, so that the result fits
 * hft_event.result.  The number is written to the device's register, the doorbell, at the
 * moment of dispatch; the device computes, and says by its interrupt (MSI) when it is done.
 * It does one at a time.
 *
 * With dma=1 the device first fetches the struct hft_sink_event from memory into its own
 * buffer, and the doorbell is the DMA engine's; the factorial follows in the interrupt that
 * says that the event is there.  (QEMU's takes 100 ms for that.)
 *
 * With 1 in its attribute paused the device gets no more tasks, as for its upkeep: they wait
 * in their rings until there is 0 again.
 */
#include <linux/dma-mapping.h>
#include <linux/hft_sink.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/pci.h>

#define EDU_VENDOR		0x1234
#define EDU_DEVICE		0x11e8
#define EDU_BAR_SIZE		0x41000

#define EDU_ID			0x00
#define EDU_ID_MASK		0xffff
#define EDU_ID_VALUE		0x00ed
#define EDU_FACTORIAL		0x08
#define EDU_STATUS		0x20
#define EDU_STATUS_IRQ		BIT(7)	/* interrupt when the factorial is there */
#define EDU_IRQ_STATUS		0x24
#define EDU_IRQ_ACK		0x64
#define EDU_IRQ_FACTORIAL	BIT(0)
#define EDU_IRQ_DMA		BIT(8)
#define EDU_DMA_SOURCE		0x80
#define EDU_DMA_TARGET		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_COMMAND		0x98
#define EDU_DMA_START		BIT(0)	/* from memory into the device */
#define EDU_DMA_IRQ		BIT(2)
#define EDU_DMA_BITS		28
#define EDU_BUFFER		0x40000	/* the device's, in its own addresses */

#define EDU_NUMBERS		13	/* 12! fits 31 bits, 13! does not */

static bool edu_dma;
module_param_named(dma, edu_dma, bool, 0444);
MODULE_PARM_DESC(dma, "have the device fetch the event first (0)");

/**
 * struct edu - a device
 * @pdev: it
 * @regs: its registers
 * @sink: what hft knows it as
 * @token: of the task that it has; 0: none.  One at a time, so nobody else looks at it
 * @event: for its DMA
 * @event_dma: where that is for the device
 * @paused: it gets none
 * @doorbell_ns: from the begin of the last dispatch to the doorbell
 */
struct edu {
	struct pci_dev *pdev;
	void __iomem *regs;
	struct hft_sink *sink;
	u64 token;
	bool paused;
	struct hft_sink_event *event;
	dma_addr_t event_dma;
	u64 doorbell_ns;
};

static u32 edu_number(u64 cookie)
{
	u32 number;

	div_u64_rem(cookie, EDU_NUMBERS, &number);
	return number;
}

static void edu_fetch(struct edu *edu, const struct hft_sink_event *event)
{
	*edu->event = *event;
	writeq(edu->event_dma, edu->regs + EDU_DMA_SOURCE);
	writeq(EDU_BUFFER, edu->regs + EDU_DMA_TARGET);
	writeq(sizeof(*event), edu->regs + EDU_DMA_COUNT);
	/* The event before the doorbell: writeq() orders them. */
	writeq(EDU_DMA_START | EDU_DMA_IRQ, edu->regs + EDU_DMA_COMMAND);
}

/* Interrupts are off, and hft asks for one at a time, as the sink's depth is 1. */
static int edu_dispatch(struct hft_sink *sink, void *data, const struct hft_sink_event *event)
{
	struct edu *edu = data;

	if (unlikely(READ_ONCE(edu->paused)))
		return -EBUSY;
	edu->sink = sink;
	edu->token = event->token;
	if (edu_dma)
		edu_fetch(edu, event);
	else
		writel(edu_number(event->cookie), edu->regs + EDU_FACTORIAL);
	WRITE_ONCE(edu->doorbell_ns, ktime_get_ns() - event->irq_entry);
	return 0;
}

static const struct hft_sink_ops edu_ops = {
	.owner = THIS_MODULE,
	.dispatch = edu_dispatch,
};

static irqreturn_t edu_irq(int irq, void *data)
{
	struct edu *edu = data;
	u32 status = readl(edu->regs + EDU_IRQ_STATUS);
	u64 token = edu->token;

	/* All ones: it was pulled out. */
	if (!status || status == ~0U)
		return IRQ_NONE;
	writel(status, edu->regs + EDU_IRQ_ACK);
	if (status & EDU_IRQ_DMA)
		writel(edu_number(edu->event->cookie), edu->regs + EDU_FACTORIAL);
	/* None: of a number that an earlier driver has given it. */
	if (status & EDU_IRQ_FACTORIAL && token) {
		edu->token = 0;
		hft_sink_complete(edu->sink, token, readl(edu->regs + EDU_FACTORIAL), 0);
	}
	return IRQ_HANDLED;
}

static ssize_t doorbell_ns_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct edu *edu = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", READ_ONCE(edu->doorbell_ns));
}
static DEVICE_ATTR_RO(doorbell_ns);

/* What doorbell_ns has of its own: a reading of the clock, when nothing comes between. */
static ssize_t clock_ns_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	u64 last, now, least = U64_MAX;
	unsigned long flags;
	int i;

	local_irq_save(flags);
	last = ktime_get_ns();
	for (i = 0; i < 16; i++, last = now) {
		now = ktime_get_ns();
		least = min(least, now - last);
	}
	local_irq_restore(flags);
	return sysfs_emit(buf, "%llu\n", least);
}
static DEVICE_ATTR_RO(clock_ns);

static ssize_t paused_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct edu *edu = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%d\n", READ_ONCE(edu->paused));
}

static ssize_t paused_store(struct device *dev, struct device_attribute *attr, const char *buf,
			    size_t count)
{
	struct edu *edu = dev_get_drvdata(dev);
	bool paused;
	int err = kstrtobool(buf, &paused);

	if (err)
		return err;
	WRITE_ONCE(edu->paused, paused);
	if (!paused)
		hft_sink_kick(edu->sink);
	return count;
}
static DEVICE_ATTR_RW(paused);

static struct attribute *edu_attrs[] = {
	&dev_attr_doorbell_ns.attr,
	&dev_attr_clock_ns.attr,
	&dev_attr_paused.attr,
	NULL
};
ATTRIBUTE_GROUPS(edu);

/* So little can the device address that a kernel without ZONE_DMA has nothing for it. */
static int edu_map_event(struct edu *edu)
{
	struct device *dev = &edu->pdev->dev;
	int err = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(EDU_DMA_BITS));

	if (err)
		return err;
	edu->event = dmam_alloc_coherent(dev, sizeof(*edu->event), &edu->event_dma, GFP_KERNEL);
	return edu->event ? 0 : -ENOMEM;
}

static int edu_map(struct edu *edu)
{
	struct pci_dev *pdev = edu->pdev;
	int err;

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	if (pci_resource_len(pdev, 0) < EDU_BAR_SIZE)
		return -ENODEV;
	edu->regs = pcim_iomap(pdev, 0, 0);
	if (!edu->regs)
		return -ENOMEM;
	if ((readl(edu->regs + EDU_ID) & EDU_ID_MASK) != EDU_ID_VALUE)
		return -ENODEV;
	pci_set_master(pdev);
	return edu_dma ? edu_map_event(edu) : 0;
}

/* Completions come in hard interrupts on PREEMPT_RT, too. */
static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *edu = devm_kzalloc(&pdev->dev, sizeof(*edu), GFP_KERNEL);
	struct hft_sink *sink;
	int err;

	if (!edu)
		return -ENOMEM;
	edu->pdev = pdev;
	pci_set_drvdata(pdev, edu);
	err = edu_map(edu);
	if (err)
		return err;
	err = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI);
	if (err < 0)
		return err;
	err = request_irq(pci_irq_vector(pdev, 0), edu_irq, IRQF_NO_THREAD, "hft_edu", edu);
	if (err)
		goto free_vectors;
	writel(EDU_STATUS_IRQ, edu->regs + EDU_STATUS);

	sink = hft_register_sink(pci_name(pdev), &edu_ops, 1, edu);
	err = PTR_ERR_OR_ZERO(sink);
	if (!err) {
		edu->sink = sink;
		return 0;
	}
	free_irq(pci_irq_vector(pdev, 0), edu);
free_vectors:
	pci_free_irq_vectors(pdev);
	return err;
}

/* No interrupt completes anything from here on; then nothing is dispatched any more. */
static void edu_remove(struct pci_dev *pdev)
{
	struct edu *edu = pci_get_drvdata(pdev);

	writel(0, edu->regs + EDU_STATUS);
	free_irq(pci_irq_vector(pdev, 0), edu);
	hft_unregister_sink(edu->sink);
	pci_clear_master(pdev);
	pci_free_irq_vectors(pdev);
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(EDU_VENDOR, EDU_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name = "hft_edu",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
	.dev_groups = edu_groups,
};
module_pci_driver(edu_driver);

MODULE_DESCRIPTION("QEMU's edu device as a sink of hft");
MODULE_AUTHOR("The hft authors");
MODULE_LICENSE("GPL");
